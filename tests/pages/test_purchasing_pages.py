"""Writing, editing, confirming, filling up and printing purchase orders through their pages."""

from decimal import Decimal

import pytest
from django.urls import reverse

from catalog.models import Supplier, SupplierProduct
from inventory.models import PurchaseOrder, Receipt, StockLevel
from inventory.services import order_files, purchasing
from inventory.services.order_files import PdfUnavailable, refuse_to_fetch
from inventory.services.purchasing import ManualLine
from inventory.services.suggestions import approve_suggestion
from tests.factories import ProductFactory
from tests.query_budget import assert_query_budget

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture
def draft(propose, alice, noon):
    row = approve_suggestion(suggestion_id=propose().pk, by=alice, at=noon, version=1)
    return row.order_line.order


def post(client, name, *args, **data):
    return client.post(reverse(name, args=args), data)


def new_order(**changes):
    return {
        "supplier": Supplier.objects.get().pk,
        "idempotency_key": "one",
        "sku_0": "MUG-1",
        "quantity_0": "30",
        **changes,
    }


def test_an_order_is_written_by_hand_once_and_explains_its_quantity(
    as_user, carol, warehouse, product
):
    client = as_user(carol)
    assert client.get(reverse("purchase-order-new")).status_code == 200
    data = new_order(warehouse=warehouse.pk)
    answer = client.post(reverse("purchase-order-new"), data, follow=True)
    assert "30 wanted, 36 ordered" in answer.content.decode()
    client.post(reverse("purchase-order-new"), data)
    order = PurchaseOrder.objects.get()
    assert (order.is_manual, order.lines.get().quantity) == (True, 36)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"sku_0": "NOPE"}, "sku_0"), ({"sku_0": "a\x00b"}, "sku_0"), ({"quantity_0": ""}, "quantity_0"),
        ({"quantity_0": str(2**63)}, "quantity_0"), ({"unit_cost_0": "NaN"}, "unit_cost_0"),
        ({"supplier": "99999"}, "supplier"), ({"sku_0": ""}, "__all__"),
    ],
)  # fmt: skip
def test_what_makes_no_order_comes_back_with_words(
    as_user, carol, warehouse, product, changes, field
):
    data = new_order(warehouse=warehouse.pk, **changes)
    answer = as_user(carol).post(reverse("purchase-order-new"), data)
    assert answer.status_code == 422
    assert field in answer.context["form"].errors
    assert not PurchaseOrder.objects.exists()


def test_a_draft_is_edited_line_by_line(as_user, carol, draft, product):
    client = as_user(carol)
    line = draft.lines.get()
    post(
        client,
        "purchase-order-line-change",
        draft.pk,
        line.pk,
        quantity="80",
        version=draft.version,
    )
    line.refresh_from_db()
    assert line.quantity == 84
    other = ProductFactory(sku="LAMP")
    answer = post(client, "purchase-order-line-add", draft.pk, sku="LAMP", quantity="5")
    assert answer.status_code == 422  # Acme has no cost for it
    post(client, "purchase-order-line-add", draft.pk, sku="LAMP", quantity="5", unit_cost="2.50")
    assert draft.lines.get(product=other).unit_cost == Decimal("2.50")
    post(client, "purchase-order-line-remove", draft.pk, line.pk, reason="")
    assert draft.lines.count() == 2
    post(client, "purchase-order-line-remove", draft.pk, line.pk, reason="budget")
    assert draft.lines.get().product == other


@pytest.mark.parametrize("quantity", ["", "0", "-1", "x", str(2**70)])
def test_a_senseless_quantity_changes_no_line(as_user, carol, draft, quantity):
    line = draft.lines.get()
    answer = post(
        as_user(carol), "purchase-order-line-change", draft.pk, line.pk, quantity=quantity
    )
    assert answer.status_code == 302
    line.refresh_from_db()
    assert line.quantity == 72


def test_a_planner_edits_no_order(as_user, alice, draft):
    line = draft.lines.get()
    answer = post(as_user(alice), "purchase-order-line-change", draft.pk, line.pk, quantity="12")
    assert answer.status_code == 403


def test_orders_of_others_are_not_there(as_user, make_user, draft):
    stranger = make_user("stranger", "buyer", scoped=False)
    client = as_user(stranger)
    for name in ("pdf", "csv", "print", "top-up"):
        assert client.get(reverse(f"purchase-order-{name}", args=[draft.pk])).status_code == 404
    line = draft.lines.get()
    answer = post(client, "purchase-order-line-change", draft.pk, line.pk, quantity="12")
    assert answer.status_code == 404
    assert client.get(reverse("purchase-orders-preview")).context["preview"].orders == []


def test_a_confirmation_is_recorded_and_shows_what_differs(as_user, carol, sent_order):
    line = sent_order.lines.get()
    client = as_user(carol)
    answer = post(
        client, "purchase-order-acknowledge", sent_order.pk, supplier_reference="AB-1",
        **{f"confirmed_{line.pk}": "40", f"on_{line.pk}": "2026-12-20"},
    )  # fmt: skip
    assert answer.status_code == 302
    shown = client.get(reverse("purchase-order", args=[sent_order.pk])).content.decode()
    assert "−32" in shown
    assert "AB-1" in shown
    answer = post(
        client, "purchase-order-acknowledge", sent_order.pk, **{f"confirmed_{line.pk}": "500"}
    )
    assert answer.status_code == 422


def test_hold_resume_close_short(as_user, carol, dave, sent_order):
    client = as_user(carol)
    post(client, "purchase-order-step", sent_order.pk, "hold", note="wait")
    assert "wait" in client.get(reverse("purchase-order", args=[sent_order.pk])).content.decode()
    post(client, "purchase-order-step", sent_order.pk, "resume")
    line = sent_order.lines.get()
    data = {f"line_{line.pk}": 12, "idempotency_key": "d1"}
    as_user(dave).post(reverse("purchase-order-receive", args=[sent_order.pk]), data)
    post(client, "purchase-order-step", sent_order.pk, "close-short")
    sent_order.refresh_from_db()
    assert sent_order.state == "part_received"  # no reason given
    post(client, "purchase-order-step", sent_order.pk, "close-short", reason="supplier_constraint")
    sent_order.refresh_from_db()
    assert sent_order.state == "closed_short"


def test_lots_are_entered_and_a_wrong_receipt_is_taken_back(
    as_user, dave, bob, sent_order, product
):
    product.tracks_lots = True
    product.save()
    line = sent_order.lines.get()
    address = reverse("purchase-order-receive", args=[sent_order.pk])
    data = {f"line_{line.pk}": 24, "idempotency_key": "d1"}
    assert as_user(dave).post(address, data).status_code == 422
    data |= {f"lot_{line.pk}_0": "A1", f"expires_{line.pk}_0": "2027-05-01"}
    assert as_user(dave).post(address, data).status_code == 302
    receipt = Receipt.objects.get()
    assert receipt.lines.get().lot.code == "A1"
    post(as_user(bob), "receipt-reverse", receipt.pk, note="wrong pallet")
    assert StockLevel.objects.get().on_hand == 0
    assert post(as_user(dave), "receipt-reverse", receipt.pk, note="x").status_code == 403


def test_the_grid_previews_the_chosen_rows(as_user, alice, propose, supplier):
    supplier.min_order_value = 360
    supplier.save()
    row = propose()
    left = propose(product=ProductFactory())
    client = as_user(alice)
    answer = post(client, "purchase-orders-preview", row=f"{row.pk}:{row.version}")
    assert answer.context["preview"].suggestion_ids == [row.pk]
    assert "62 %" in answer.content.decode()
    everything = client.get(reverse("purchase-orders-preview"))
    assert set(everything.context["preview"].suggestion_ids) == {row.pk, left.pk}
    assert not PurchaseOrder.objects.exists()


def test_a_draft_below_the_minimum_is_filled_up(as_user, carol, propose, draft, supplier):
    supplier.min_order_value = 400
    supplier.save()
    row = propose(product=ProductFactory())
    client = as_user(carol)
    shown = client.get(reverse("purchase-order-top-up", args=[draft.pk])).content.decode()
    assert f'value="{row.pk}:{row.version}"' in shown
    post(client, "purchase-order-top-up", draft.pk, suggestion=f"{row.pk}:{row.version}")
    assert draft.lines.count() == 2


# --- files ------------------------------------------------------------------------------------------
def test_the_pdf_is_one_and_fetches_nothing(as_user, eve, sent_order, product):
    product.name = '<img src="http://127.0.0.1:1/x.png"> 蓝色杯子'
    product.save()
    answer = as_user(eve).get(reverse("purchase-order-pdf", args=[sent_order.pk]))
    assert answer["Content-Type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF")
    for url in ("http://example.org/a.png", "file:" + "//" + "/etc/passwd", "data:text/plain,a"):
        with pytest.raises(ValueError, match="load nothing"):
            refuse_to_fetch(url)


def test_without_the_pdf_library_the_page_offers_print_and_csv(
    as_user, eve, sent_order, monkeypatch
):
    def missing(name):
        raise OSError("cannot load library 'libpango-1.0-0'")

    monkeypatch.setattr(order_files, "import_module", missing)
    with pytest.raises(PdfUnavailable):
        order_files.render_pdf(html="", css="")
    answer = as_user(eve).get(reverse("purchase-order-pdf", args=[sent_order.pk]))
    text = answer.content.decode()
    assert answer.status_code == 503
    assert "libpango" in text
    assert reverse("purchase-order-print", args=[sent_order.pk]) in text
    assert reverse("purchase-order-csv", args=[sent_order.pk]) in text


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_cell_that_a_spreadsheet_would_run_is_text(as_user, eve, sent_order, product, start):
    SupplierProduct.objects.update(supplier_sku=f"{start}cmd|x")
    product.name = f"{start}1+1"
    product.save()
    answer = as_user(eve).get(reverse("purchase-order-csv", args=[sent_order.pk]))
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    assert f"'{start}cmd|x" in text
    assert f"'{start}1+1" in text
    assert sent_order.number in text


def test_the_print_view_has_codes_lines_and_total(as_user, eve, sent_order):
    SupplierProduct.objects.update(supplier_sku="AC-77")
    text = as_user(eve).get(reverse("purchase-order-print", args=[sent_order.pk])).content.decode()
    assert all(part in text for part in ("AC-77", "MUG-1", "223.20", sent_order.number))
    assert "no order yet" not in text


def test_a_draft_says_on_paper_that_it_is_none(as_user, eve, draft):
    text = as_user(eve).get(reverse("purchase-order-print", args=[draft.pk])).content.decode()
    assert "this is no order yet" in text


def test_pages_stay_within_their_budget(as_user, carol, draft, supplier, warehouse, noon):
    lines = []
    for number in range(6):
        product = ProductFactory(sku=f"P-{number}")
        lines.append(ManualLine(product.pk, 10, Decimal(2)))
    order = purchasing.create_manual_order(
        supplier=supplier, warehouse=warehouse, lines=lines, by=carol, at=noon
    )
    client = as_user(carol)
    assert_query_budget(client, "purchase-order", kwargs={"pk": order.pk})
    assert_query_budget(client, "purchase-order-top-up", kwargs={"pk": draft.pk})
    assert_query_budget(client, "purchase-orders-preview")
    assert_query_budget(client, "purchase-order-print", kwargs={"pk": order.pk})
