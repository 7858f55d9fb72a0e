"""Files of orders: the command, trials, what is kept of an upload and for how long."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command

from catalog.models import Run
from catalog.tasks import run_inline
from inventory.exceptions import NotAllowed
from inventory.models import (
    CustomerOrder,
    ImportBatch,
    StockLevel,
    StockMovement,
)
from inventory.services.order_imports.batches import (
    TRIAL_KEPT,
    begin_import,
    import_after_trial,
    purge_trials,
)
from tests.factories import WarehouseFactory
from tests.inventory.shop_doors.messages import (
    GRANARY_HEADING,
    WOO_HEADING,
    woo_row,
)

pytestmark = pytest.mark.django_db


def level():
    row = StockLevel.objects.get()
    return row.on_hand, row.reserved


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
