"""Orders of shops through one service: placed once, moved forward, never back."""

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from io import StringIO

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command

from catalog.models import Run
from catalog.tasks import run_inline
from inventory.engine.order_files import ReadOptions, parse_message
from inventory.exceptions import NotAllowed
from inventory.models import (
    Customer,
    CustomerOrder,
    ImportBatch,
    Return,
    Sale,
    Shipment,
    StockDiscrepancy,
    StockLevel,
    StockMovement,
    UserScope,
)
from inventory.services.ledger import open_ledger
from inventory.services.order_imports.apply import apply_order
from inventory.services.order_imports.batches import (
    TRIAL_KEPT,
    begin_import,
    import_after_trial,
    purge_trials,
)
from tests.factories import ProductFactory, WarehouseFactory
from tests.inventory.shop_messages import (
    GRANARY_HEADING,
    WOO_HEADING,
    granary_order,
    shopify_fulfilment,
    shopify_order,
    woo_order,
    woo_row,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _clock(noon):
    with time_machine.travel(noon, tick=True):
        yield


@pytest.fixture
def shop(make_user):
    return make_user("shop", "shop")


@pytest.fixture
def stocked(product, warehouse, noon):
    """30 mugs, in the ledger since ten days."""
    start = noon - timedelta(days=10)
    open_ledger(warehouse=warehouse, balances={product.pk: 30}, at=start)
    return product


@pytest.fixture
def apply(shop, warehouse, noon):
    def run(body, kind="woocommerce", at=noon, by=None):
        options = ReadOptions(time_zone="Europe/Berlin", pseudonym=lambda email: "e-1")
        order, faults = parse_message(body, kind=kind, options=options)
        assert faults == ()
        return apply_order(
            order=order, warehouse_id=warehouse.pk, channel="shop", by=by or shop, at=at
        )

    return run


def level():
    row = StockLevel.objects.get()
    return row.on_hand, row.reserved


def test_an_order_is_placed_paid_and_reserved(apply, stocked):
    applied = apply(woo_order())
    assert applied.outcome == "created"
    assert (applied.order.state, applied.order.payment) == ("paid", "paid")
    assert applied.order.paid_amount == 15
    assert level() == (30, 2)
    assert Customer.objects.get().key == "26"


def test_the_same_order_again_changes_nothing(apply, stocked):
    apply(woo_order())
    before = CustomerOrder.objects.get().version
    assert apply(woo_order()).outcome == "unchanged"
    assert CustomerOrder.objects.get().version == before
    assert level() == (30, 2)


def test_later_versions_move_it_forward(apply, stocked):
    apply(woo_order(status="pending", date_paid_gmt=None))
    assert apply(woo_order(status="processing")).outcome == "moved"
    assert apply(woo_order(status="completed")).outcome == "moved"
    order = CustomerOrder.objects.get()
    assert (order.state, order.paid_amount) == ("shipped", 15)
    assert level() == (28, 0)
    assert apply(woo_order(status="completed")).outcome == "unchanged"
    assert Sale.objects.get().quantity == 2
    assert Shipment.objects.count() == 1


def test_an_old_message_that_comes_late_does_nothing(apply, stocked):
    apply(woo_order(status="completed"))
    for status in ("processing", "on-hold", "pending"):
        paid = {} if status == "processing" else {"date_paid_gmt": None}
        assert apply(woo_order(status=status, **paid)).outcome == "unchanged"
    assert CustomerOrder.objects.get().state == "shipped"


def test_a_cancelled_order_gives_its_stock_back(apply, stocked):
    apply(woo_order())
    assert apply(woo_order(status="cancelled")).outcome == "moved"
    assert CustomerOrder.objects.get().state == "cancelled"
    assert level() == (30, 0)


def test_a_refund_after_shipping_returns_it_without_inventing_stock(apply, stocked):
    apply(woo_order(status="processing"))
    apply(woo_order(status="completed"))
    apply(woo_order(status="refunded"))
    order = CustomerOrder.objects.get()
    assert (order.state, order.payment, order.paid_amount) == ("returned", "refunded", 0)
    assert Return.objects.get().quantity == 2
    assert level() == (28, 0)
    assert apply(woo_order(status="refunded")).outcome == "unchanged"


def test_shopify_says_which_pieces_came_back_to_the_shelf(apply, stocked):
    shipped = {"fulfillments": [shopify_fulfilment(2)], "fulfillment_status": "fulfilled"}
    apply(shopify_order(), "shopify")
    apply(shopify_order(**shipped), "shopify")
    refund = {"created_at": "2026-11-22T08:00:00Z", "transactions": [
        {"kind": "refund", "status": "success", "amount": "7.50"}], "refund_line_items": [
        {"line_item_id": 466157049, "quantity": 1, "restock_type": "return"}]}  # fmt: skip
    body = shopify_order(financial_status="partially_refunded", refunds=[refund], **shipped)
    apply(body, "shopify")
    order = CustomerOrder.objects.get()
    assert (order.payment, order.paid_amount) == ("part_refunded", Decimal("7.5"))
    assert level() == (29, 0)
    assert apply(body, "shopify").outcome == "unchanged"


def test_a_part_leaves_first_and_the_rest_later(apply, stocked):
    apply(shopify_order(), "shopify")
    part = {"fulfillments": [shopify_fulfilment(1)], "fulfillment_status": "partial"}
    apply(shopify_order(**part), "shopify")
    assert CustomerOrder.objects.get().state == "part_shipped"
    assert level() == (29, 1)
    assert apply(shopify_order(**part), "shopify").outcome == "unchanged"
    rest = {"fulfillments": [shopify_fulfilment(1), shopify_fulfilment(1)]}
    apply(shopify_order(**rest), "shopify")
    assert CustomerOrder.objects.get().state == "shipped"
    assert level() == (28, 0)
    assert sorted(Sale.objects.values_list("quantity", flat=True)) == [1, 1]


def test_what_left_without_stock_is_recorded_as_a_discrepancy(apply, stocked):
    body = woo_order(line_items=[{"sku": "MUG-1", "quantity": 40, "price": 1}])
    apply(body)
    assert level() == (30, 30)
    apply(body | {"status": "completed", "date_completed_gmt": "2026-11-21T08:00:00"})
    assert CustomerOrder.objects.get().state == "shipped"
    assert level() == (0, 0)
    assert StockDiscrepancy.objects.get().quantity == 10


def test_an_order_that_is_over_is_history_and_moves_stock_as_the_ledger_ran(apply, stocked, noon):
    assert apply(woo_order(1, status="completed")).outcome == "history"
    assert level() == (28, 0)
    old = {"date_created_gmt": "2026-10-01T09:00:00", "date_paid_gmt": "2026-10-01T09:00:00",
           "date_completed_gmt": "2026-10-02T09:00:00"}  # fmt: skip
    assert apply(woo_order(2, status="completed", **old)).outcome == "history"
    assert level() == (28, 0)  # before the ledger: demand history only
    assert Sale.objects.count() == 2
    assert StockMovement.objects.filter(kind="sale").count() == 1
    assert apply(woo_order(3, status="cancelled")).outcome == "history"
    assert set(CustomerOrder.objects.values_list("state", flat=True)) == {"shipped", "cancelled"}
    assert apply(woo_order(2, status="completed", **old)).outcome == "unchanged"


def test_an_order_with_other_lines_than_before_is_refused(apply, stocked):
    apply(woo_order())
    ProductFactory(sku="LAMP-1")
    changed = [
        [{"sku": "MUG-1", "quantity": 3, "price": 7.5}],
        [{"sku": "LAMP-1", "quantity": 2, "price": 7.5}],
        [{"sku": "MUG-1", "quantity": 2, "price": 9}],
        [{"sku": "MUG-1", "quantity": 2, "price": 7.5}, {"sku": "LAMP-1", "quantity": 1, "price": 1}],
    ]  # fmt: skip
    for lines in changed:
        with pytest.raises(ValidationError) as refused:
            apply(woo_order(line_items=lines))
        (errors,) = refused.value.error_dict.values()
        assert errors[0].code == "order_changed"
    assert (
        apply(woo_order(line_items=[{"sku": "MUG-1", "quantity": 2, "price": 7.509}])).outcome
        == "unchanged"
    )


def test_unknown_skus_and_those_outside_the_scope_are_the_same_error(apply, stocked, shop):
    with pytest.raises(ValidationError) as unknown:
        apply(woo_order(line_items=[{"sku": "NO-SUCH", "quantity": 1, "price": 1}]))
    assert list(unknown.value.error_dict) == ["lines.0.sku"]
    other = WarehouseFactory(code="OTHER")
    UserScope.objects.get(user=shop).warehouses.set([other])
    with pytest.raises(ValidationError) as outside:
        apply(woo_order())
    assert list(outside.value.error_dict) == ["lines.0.warehouse"]
    assert not CustomerOrder.objects.exists()


def test_a_right_that_is_missing_stops_it_before_anything_is_written(apply, stocked, make_user):
    with pytest.raises(NotAllowed):
        apply(woo_order(), by=make_user("eve", "viewer"))
    assert not CustomerOrder.objects.exists()


def test_cancelled_in_the_shop_but_shipped_here_is_a_note(apply, stocked):
    apply(woo_order())
    apply(woo_order(status="completed"))
    applied = apply(woo_order(status="cancelled"))
    assert applied.outcome == "unchanged"
    assert "shipped here" in applied.notes[0]
    assert CustomerOrder.objects.get().state == "shipped"


def test_shipped_in_the_shop_but_cancelled_here_is_refused(apply, stocked):
    apply(woo_order())
    apply(woo_order(status="cancelled"))
    with pytest.raises(ValidationError, match="more were shipped"):
        apply(woo_order(status="completed"))


def test_a_region_that_is_none_here_is_left_away(apply, stocked):
    assert apply(woo_order()).order.region is None


def test_pieces_taken_off_before_they_were_sent_are_cancelled(apply, stocked):
    body = granary_order(
        lines=[{"line": 1, "sku": "MUG-1", "quantity": 3, "unit_price": 1, "shipped_quantity": 2,
                "cancelled_quantity": 1}],
        shipped_at="2026-11-21T09:00:00Z",
    )  # fmt: skip
    assert apply(body, "granary").outcome == "created"
    assert CustomerOrder.objects.get().state == "shipped"
    assert level() == (28, 0)
    assert apply(body, "granary").outcome == "unchanged"


def test_the_sources_of_a_time_in_the_future_are_clocks_that_go_wrong(apply, stocked, noon):
    ahead = (noon + timedelta(hours=2)).isoformat()
    assert apply(granary_order(placed_at=ahead), "granary").order.placed_at == noon


# --- files -------------------------------------------------------------------------------------------
@pytest.fixture
def export(tmp_path):
    path = tmp_path / "export.csv"
    path.write_text(
        "\n".join([WOO_HEADING, woo_row(1), woo_row(2, status="completed"), woo_row(3, sku="GONE"),
                   woo_row(4, status="failed"), woo_row(5, quantity=0)])
    )  # fmt: skip
    return path


def run_command(path, *options):
    out = StringIO()
    call_command(
        "import_orders", str(path), "--format", "woocommerce", "--warehouse", "MAIN", "--json",
        *options, stdout=out,
    )  # fmt: skip
    return json.loads(out.getvalue())


def test_the_command_accounts_for_every_row(stocked, export):
    report = run_command(export)
    assert report["orders"] == {"created": 1, "history": 1, "refused": 1, "skipped": 1, "broken": 1}
    assert sum(row["rows"] for row in report["rows"]) == report["rows_read"] == 5
    assert [(row["line"], row["order"], row["column"]) for row in report["rejected"]] == [
        (4, "3", "sku"), (6, "5", "line_item_1.quantity"),
    ]  # fmt: skip
    assert ImportBatch.objects.get().state == "published"


def test_the_same_file_twice_changes_nothing(stocked, export):
    run_command(export)
    movements = StockMovement.objects.count()
    report = run_command(export)
    assert report["orders"] == {"unchanged": 2, "refused": 1, "skipped": 1, "broken": 1}
    assert (CustomerOrder.objects.count(), StockMovement.objects.count()) == (2, movements)


def test_a_dry_run_writes_nothing_and_finds_the_same_faults(stocked, export):
    report = run_command(export, "--dry-run")
    assert report["orders"] == {"created": 1, "history": 1, "refused": 1, "skipped": 1, "broken": 1}
    assert report["problems"] == 2
    assert not CustomerOrder.objects.exists()
    assert level() == (30, 0)


def test_the_command_speaks_of_what_it_cannot_do(stocked, export, tmp_path):
    with pytest.raises(CommandError, match="no warehouse NOWHERE"):
        call_command("import_orders", str(export), "--format", "granary", "--warehouse", "NOWHERE")
    with pytest.raises(CommandError, match="Missing columns"):
        call_command(
            "import_orders", str(export), "--format", "shopify", "--warehouse", "MAIN", "--json"
        )
    with pytest.raises(CommandError, match="no active user"):
        run_command(export, "--user", "nobody")
    with pytest.raises(CommandError, match="no file"):
        run_command(tmp_path / "gone.csv")


def test_the_command_prints_its_report(stocked, export):
    out = StringIO()
    call_command("import_orders", str(export), "--format", "woocommerce", "--warehouse", "MAIN",
                 "--dry-run", stdout=out)  # fmt: skip
    assert "5 rows, 5 orders." in out.getvalue()
    assert "row 4 · 3 · sku" in out.getvalue()
    assert "nothing was written" in out.getvalue()


def test_an_import_that_was_killed_is_finished_by_the_next(
    stocked, export, shop, warehouse, noon, monkeypatch
):
    from inventory.services.order_imports import files

    batch, _run = begin_import(
        kind="woocommerce", warehouse_id=warehouse.pk, by=shop, at=noon, path=str(export),
        dry_run=False,
    )  # fmt: skip
    real = files.apply_order
    calls = []

    def dies(**facts):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(**facts)

    monkeypatch.setattr(files, "apply_order", dies)
    with pytest.raises(KeyboardInterrupt):
        files.run_import(batch=batch, at=noon)
    monkeypatch.undo()
    assert CustomerOrder.objects.count() == 1
    report = files.run_import(batch=batch, at=noon)
    assert report["orders"] == {
        "unchanged": 1,
        "history": 1,
        "refused": 1,
        "skipped": 1,
        "broken": 1,
    }
    assert level() == (28 - 0, 2)


@pytest.fixture
def uploaded(stocked, shop, warehouse, noon, settings, tmp_path, export):
    settings.MEDIA_ROOT = tmp_path / "media"

    def begin(dry_run=True):
        return begin_import(
            kind="woocommerce", warehouse_id=warehouse.pk, by=shop, at=noon, dry_run=dry_run,
            uploaded=SimpleUploadedFile("orders of Ada.csv", export.read_bytes()),
        )  # fmt: skip

    return begin


def test_a_trial_keeps_its_file_until_it_is_imported(
    uploaded, shop, noon, django_capture_on_commit_callbacks
):
    batch, run = uploaded()
    assert run_inline(run, quiet=True).state == Run.State.SUCCEEDED
    batch.refresh_from_db()
    stored = batch.file.storage
    name = batch.file.name
    assert (batch.state, stored.exists(name)) == ("dry_run", True)
    with django_capture_on_commit_callbacks(execute=True):
        batch, run = import_after_trial(batch_id=batch.pk, by=shop, at=noon)
        again, same = import_after_trial(batch_id=batch.pk, by=shop, at=noon)
        assert (again.pk, same.pk) == (batch.pk, run.pk)
        run_inline(run, quiet=True)
    batch.refresh_from_db()
    assert (batch.state, batch.file.name, stored.exists(name)) == ("published", "", False)
    assert CustomerOrder.objects.count() == 2


def test_trials_nobody_imports_are_forgotten_after_a_week(
    uploaded, noon, shop, django_capture_on_commit_callbacks
):
    batch, run = uploaded()
    run_inline(run, quiet=True)
    batch.refresh_from_db()
    name, stored = batch.file.name, batch.file.storage
    with django_capture_on_commit_callbacks(execute=True):
        assert purge_trials(at=noon + TRIAL_KEPT) == 0
        assert purge_trials(at=noon + TRIAL_KEPT + timedelta(seconds=1)) == 1
    assert not stored.exists(name)
    with pytest.raises(ValidationError, match="Upload it again"):
        import_after_trial(batch_id=batch.pk, by=shop, at=noon)


def test_a_refused_file_fails_the_import_and_is_not_kept(
    shop, stocked, warehouse, noon, settings, tmp_path, django_capture_on_commit_callbacks
):
    settings.MEDIA_ROOT = tmp_path / "media"
    with django_capture_on_commit_callbacks(execute=True):
        batch, run = begin_import(
            kind="granary", warehouse_id=warehouse.pk, by=shop, at=noon,
            uploaded=SimpleUploadedFile("x.csv", b"nothing,useful\n1,2\n"),
        )  # fmt: skip
        assert run_inline(run, quiet=True).state == Run.State.FAILED
    batch.refresh_from_db()
    assert (batch.state, batch.file.name) == ("failed", "")
    assert "order_ref" in batch.error


def test_what_begins_an_import_is_checked(shop, eve, warehouse, noon):
    facts = {"kind": "woocommerce", "warehouse_id": warehouse.pk, "by": shop, "at": noon}
    with pytest.raises(NotAllowed):
        begin_import(**{**facts, "by": eve})
    with pytest.raises(NotAllowed):
        begin_import(**{**facts, "warehouse_id": 10**9})
    for name, value in (("kind", "magento"), ("time_zone", "Mars/Base"), ("channel", "")):
        with pytest.raises(ValidationError) as refused:
            begin_import(**{**facts, name: value})
        assert list(refused.value.error_dict) == [name]


def test_rows_of_granary_name_their_warehouse(stocked, tmp_path):
    north = WarehouseFactory(code="NORTH")
    path = tmp_path / "own.csv"
    path.write_text(
        f"{GRANARY_HEADING}\nA-1,1,MUG-1,NORTH,1,7.50,EUR,2026-11-20T09:00:00Z,26,paid,7.50,,,,,,\n"
        "A-2,1,MUG-1,SOUTH,1,7.50,EUR,2026-11-20T09:00:00Z,26,paid,7.50,,,,,,\n"
    )
    out = StringIO()
    call_command("import_orders", str(path), "--format", "granary", "--warehouse", "MAIN", "--json",
                 stdout=out)  # fmt: skip
    report = json.loads(out.getvalue())
    assert report["orders"] == {"created": 1, "refused": 1}
    assert (report["rejected"][0]["line"], report["rejected"][0]["column"]) == (3, "warehouse")
    assert CustomerOrder.objects.get().lines.get().warehouse == north


def test_an_order_is_not_moved_by_two_at_once(apply, stocked, shop, warehouse, noon):
    """What one transaction did, the next one finds done; the row is locked between."""
    options = ReadOptions(pseudonym=lambda email: "")
    order, _faults = parse_message(
        woo_order(status="completed"), kind="woocommerce", options=options
    )
    later = replace(order, shipped_at=None)
    for one in (order, later, order):
        apply_order(order=one, warehouse_id=warehouse.pk, channel="shop", by=shop, at=noon)
    assert StockMovement.objects.filter(kind="sale").count() == 1
