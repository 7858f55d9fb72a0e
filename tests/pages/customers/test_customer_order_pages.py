"""Pages of customer orders, their imports, customers and webhooks."""

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from catalog.models import Run
from catalog.tasks import run_inline
from inventory.models import (
    CustomerOrder,
    ImportBatch,
    Shipment,
    StockLevel,
    UserScope,
)
from tests.factories import WarehouseFactory
from tests.inventory.shop_doors.messages import WOO_HEADING, woo_row
from tests.pages.customers.pages import text_of

pytestmark = pytest.mark.django_db(databases="__all__")


def step(client, order, name, key="page-1", **data):
    return client.post(reverse("customer-order-step", args=[order.pk, name]), {"key": key, **data})


# --- orders ------------------------------------------------------------------------------------------
def test_orders_are_found_by_state_payment_warehouse_and_number(as_user, eve, place, noon):
    place(1)
    place(2, "pending", date_paid_gmt=None)
    place(3, "completed")
    place(4, line_items=[{"sku": "MUG-1", "quantity": 60, "price": 1}])
    client = as_user(eve)

    def shown(**query):
        rows = client.get(reverse("customer-orders"), query).context["table"].data
        return {row.order_ref for row in rows}

    assert shown() == {"1", "2", "3", "4"}
    assert shown(state="open") == {"1", "2", "4"}
    assert shown(state="waiting") == {"4"}
    assert shown(state="unpaid") == {"2"}
    assert shown(payment="paid") == {"1", "3", "4"}
    assert shown(q="3") == {"3"}
    assert shown(warehouse="MAIN") == {"1", "2", "3", "4"}
    assert shown(state="late") == set()
    late = CustomerOrder.objects.get(order_ref="4").lines.get()
    late.promised_on = (noon - timedelta(days=1)).date()
    late.save()
    assert shown(state="late") == {"4"}


def test_an_order_of_another_scope_does_not_exist(as_user, eve, place):
    order = place()
    UserScope.objects.get(user=eve).warehouses.set([WarehouseFactory(code="OTHER")])
    client = as_user(eve)
    assert client.get(reverse("customer-order", args=[order.pk])).status_code == 404
    assert "727" not in text_of(client.get(reverse("customer-orders")))


def test_the_page_shows_lines_payments_and_what_happened(as_user, eve, place):
    order = place()
    page = text_of(as_user(eve).get(reverse("customer-order", args=[order.pk])))
    for words in ("MUG-1", "ch_1", "Placed", "Payment reported", "shop"):
        assert words in page
    assert "customer-order-step" not in page
    assert 'name="csrfmiddlewaretoken"' not in page.split("<main", 1)[1]  # a viewer has no steps
    assert "26" not in page.split("<main", 1)[1].split("<h1", 1)[0]


def test_a_clerk_ships_an_order_once(as_user, clerk, place):
    order = place()
    client = as_user(clerk)
    page = client.get(reverse("customer-order", args=[order.pk]))
    assert [one["name"] for one in page.context["steps"]] == ["pay", "ship", "cancel"]
    for _again in range(2):
        answer = step(client, order, "ship", line_1=2, tracking="TN-9")
        assert answer.status_code == 302
    order.refresh_from_db()
    assert (order.state, Shipment.objects.count()) == ("shipped", 1)
    assert "TN-9" in text_of(client.get(reverse("customer-order", args=[order.pk])))


def test_the_same_key_with_other_pieces_is_refused(as_user, clerk, place):
    order = place()
    client = as_user(clerk)
    step(client, order, "cancel", line_1=1)
    answer = step(client, order, "cancel", line_1=2)
    assert answer.status_code == 422
    assert order.lines.get().cancelled_quantity == 1


def test_cancelling_one_piece_twice_with_one_form_cancels_one(as_user, clerk, place):
    order = place()
    client = as_user(clerk)
    for _again in range(2):
        step(client, order, "cancel", line_1=1, reason="asked")
    assert order.lines.get().cancelled_quantity == 1
    step(client, order, "cancel", key="page-2", line_1=1)
    order.refresh_from_db()
    assert order.state == "cancelled"


def test_a_return_and_a_refund(as_user, clerk, place):
    order = place(status="completed")
    client = as_user(clerk)
    step(client, order, "return", line_1=2, restock="on")
    step(client, order, "pay", key="page-2", state="refunded", amount="15", reference="re_1")
    order.refresh_from_db()
    assert (order.state, order.payment) == ("returned", "refunded")
    assert StockLevel.objects.get().on_hand == 50


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("ship", {"line_1": "3"}), ("ship", {"line_1": "x"}), ("ship", {"line_1": "-1"}),
        ("ship", {"line_1": "9" * 30}), ("ship", {}), ("cancel", {"line_1": "3"}),
        ("cancel", {"line_1": "1", "reason": "a\x00b"}), ("return", {"line_1": "1"}),
        ("pay", {"state": "refunded", "amount": "99"}), ("pay", {"state": "paid", "amount": "NaN"}),
        ("pay", {"state": "paid", "amount": "1e400"}), ("pay", {"state": "stolen", "amount": "1"}),
        ("ship", {"line_1": "1", "key": ""}), ("ship", {"line_1": "1", "key": "\ud800"}),
    ],
)  # fmt: skip
def test_wrong_input_is_told_in_the_form_and_changes_nothing(as_user, clerk, place, name, data):
    order = place()
    before = CustomerOrder.objects.get().version
    data = {
        key: value.encode("utf-8", "surrogatepass").decode("latin-1") for key, value in data.items()
    }
    answer = step(as_user(clerk), order, name, **data)
    assert answer.status_code == 422
    assert CustomerOrder.objects.get().version == before


def test_steps_need_their_permission(as_user, eve, dave, place):
    order = place()
    for name in ("pay", "ship", "cancel", "return"):
        answer = step(as_user(eve), order, name, line_1=1)
        assert answer.status_code == 403
    assert (
        as_user(eve).post(reverse("customer-order-cancel-all", args=[order.pk])).status_code == 403
    )
    assert step(as_user(dave), order, "explode").status_code == 404
    assert (
        as_user(dave).get(reverse("customer-order-step", args=[order.pk, "ship"])).status_code
        == 302
    )


def test_a_whole_order_is_cancelled(as_user, clerk, place):
    order = place()
    client = as_user(clerk)
    client.post(reverse("customer-order-cancel-all", args=[order.pk]))
    order.refresh_from_db()
    assert order.state == "cancelled"
    shipped = place(2, "completed")
    answer = client.post(reverse("customer-order-cancel-all", args=[shipped.pk]), follow=True)
    assert "cannot follow" in text_of(answer)


# --- imports --------------------------------------------------------------------------------------------
def upload(client, rows, **changes):
    file = SimpleUploadedFile("orders.csv", "\n".join([WOO_HEADING, *rows]).encode())
    warehouse = CustomerOrder._meta.apps.get_model("inventory.Warehouse").objects.first()
    data = {"kind": "woocommerce", "file": file, "warehouse": warehouse.pk, "channel": "shop"}
    return client.post(reverse("order-imports"), data | changes)


@pytest.fixture
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.mark.usefixtures("media")
def test_a_file_is_tried_shown_and_then_imported(as_user, clerk, place):
    place(99)
    client = as_user(clerk)
    answer = upload(client, [woo_row(1), woo_row(2, sku="GONE"), woo_row(3, quantity=0)])
    batch = ImportBatch.objects.get()
    assert answer["Location"] == reverse("order-import", args=[batch.pk])
    waiting = text_of(client.get(answer["Location"]))
    assert "Import for real" not in waiting
    run_inline(batch.run, quiet=True)
    tried = text_of(client.get(answer["Location"]))
    assert "nothing was written" in tried
    assert "line_item_1.quantity" in tried
    assert "“GONE”" in tried
    assert "Import for real" in tried
    assert CustomerOrder.objects.count() == 1
    client.post(reverse("order-import-apply", args=[batch.pk]))
    batch.refresh_from_db()
    assert run_inline(batch.run, quiet=True).state == Run.State.SUCCEEDED
    assert set(CustomerOrder.objects.values_list("order_ref", flat=True)) == {"99", "1"}
    assert CustomerOrder.objects.get(order_ref="1").by == clerk
    done = text_of(client.get(answer["Location"]))
    assert "Import for real" not in done
    assert "orders.csv" in text_of(client.get(reverse("order-imports")))


@pytest.mark.usefixtures("media")
def test_the_general_page_of_imports_understands_them(as_user, clerk, alice, place):
    place(99)
    upload(as_user(clerk), [woo_row(1), woo_row(2, sku="GONE")])
    batch = ImportBatch.objects.get()
    run_inline(batch.run, quiet=True)
    page = as_user(alice).get(reverse("import", args=[batch.pk]))
    assert page.status_code == 200
    assert page.context["adds_up"]


@pytest.mark.usefixtures("media")
def test_an_upload_that_makes_no_sense_is_told_in_the_form(as_user, clerk, place):
    place(99)
    client = as_user(clerk)
    for changes in (
        {"kind": "magento"}, {"warehouse": "10000000000000000000000"}, {"time_zone": "Mars/Base"},
        {"channel": "x" * 30}, {"file": ""}, {"currency": "EURO"}, {"encoding": "x" * 50},
        {"channel": "a\x00b"},
    ):  # fmt: skip
        assert upload(client, [woo_row(1)], **changes).status_code == 422, changes
    assert not ImportBatch.objects.exists()


@pytest.mark.usefixtures("media")
def test_imports_of_another_scope_and_without_the_right_do_not_exist(as_user, clerk, eve, place):
    place(99)
    upload(as_user(clerk), [woo_row(1)])
    batch = ImportBatch.objects.get()
    assert as_user(eve).get(reverse("order-imports")).status_code == 403
    UserScope.objects.get(user=clerk).warehouses.set([WarehouseFactory(code="OTHER")])
    client = as_user(clerk)
    assert client.get(reverse("order-import", args=[batch.pk])).status_code == 404
    assert client.post(reverse("order-import-apply", args=[batch.pk])).status_code == 404
    assert "orders.csv" not in text_of(client.get(reverse("order-imports")))
