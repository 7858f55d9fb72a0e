"""Every admin page opens; facts are read-only; actions are the services."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.urls import reverse

from catalog.admin.base import ReadOnlyAdmin
from catalog.models import Price
from inventory.models import ApprovalLimit, PurchaseOrder, StockLevel, Suggestion, UserScope
from inventory.services.ledger import post_movement
from inventory.services.sales import SaleLine, record_sales
from inventory.services.suggestions import approve_suggestion
from tests.factories import ProductFactory, WarehouseFactory

pytestmark = pytest.mark.django_db(databases="__all__")
OURS = sorted(
    (model for model in admin.site._registry if model._meta.app_label in ("catalog", "inventory")),
    key=lambda model: model._meta.label,
)
READ_ONLY = [
    model
    for model in OURS
    if model._meta.app_label == "inventory"
    and isinstance(admin.site._registry[model], ReadOnlyAdmin)
]


def url(model, page, *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


@pytest.fixture
def staff(client, alice, bob, carol, dave):
    """Log one of them in to the admin."""

    def staff(user, **changes):
        type(user).objects.filter(pk=user.pk).update(is_staff=True, **changes)
        client.force_login(type(user).objects.get(pk=user.pk))
        return client

    return staff


@pytest.fixture
def some_of_everything(product, warehouse, propose, alice, noon):
    post_movement(
        product_id=product.pk,
        warehouse_id=warehouse.pk,
        kind="receipt",
        quantity=3,
        at=noon,
        idempotency_key="r",
    )
    record_sales(
        lines=[
            SaleLine(
                product_id=product.pk,
                warehouse_id=warehouse.pk,
                sold_at=noon,
                quantity=4,
                unit_price=7,
                currency="EUR",
                order_ref="O-1",
                line=1,
            )
        ],
        at=noon,
    )
    approve_suggestion(suggestion_id=propose().pk, by=alice, at=noon, version=1)


def test_every_model_of_ours_has_an_admin():
    from django.apps import apps

    staging = {"inventory.StagedStockFact", "catalog.RequestCount", "catalog.SavedView"}
    without = {
        model._meta.label
        for app in ("catalog", "inventory")
        for model in apps.get_app_config(app).get_models()
        if model not in admin.site._registry
    }
    assert without <= staging


@pytest.mark.parametrize("model", OURS, ids=lambda model: model._meta.label)
def test_list_search_and_forms_open(staff, alice, some_of_everything, model):
    client = staff(alice, is_superuser=True)
    assert client.get(url(model, "changelist")).status_code == 200
    assert client.get(url(model, "changelist"), {"q": "MUG"}).status_code == 200
    allowed = admin.site._registry[model].has_add_permission(
        type("Request", (), {"user": type(alice).objects.get(pk=alice.pk)})
    )
    assert client.get(url(model, "add")).status_code == (200 if allowed else 403)
    row = model._default_manager.first()
    if row is not None:
        assert client.get(url(model, "change", row.pk)).status_code == 200


@pytest.mark.parametrize("model", READ_ONLY, ids=lambda model: model._meta.label)
def test_facts_cannot_be_edited_even_by_a_superuser(staff, alice, some_of_everything, model):
    client = staff(alice, is_superuser=True)
    row = model._default_manager.first()
    assert client.post(url(model, "add"), {}).status_code == 403
    if row is not None:
        assert client.post(url(model, "change", row.pk), {"quantity": 1}).status_code == 403
        assert client.post(url(model, "delete", row.pk), {"post": "yes"}).status_code == 403
        assert model._default_manager.filter(pk=row.pk).exists()


@pytest.mark.parametrize("model", OURS, ids=lambda model: model._meta.label)
def test_lists_need_no_more_queries_for_more_rows(
    staff, alice, propose, noon, model, django_assert_max_num_queries, warehouse
):
    for _n in range(8):
        row = propose(product=ProductFactory())
        approve_suggestion(suggestion_id=row.pk, by=alice, at=noon, version=1)
        post_movement(
            product_id=row.product_id,
            warehouse_id=warehouse.pk,
            kind="receipt",
            quantity=3,
            at=noon,
            idempotency_key=f"r{row.pk}",
        )
    client = staff(alice, is_superuser=True)
    with django_assert_max_num_queries(14):
        client.get(url(model, "changelist"))


def act(client, model, action, rows, **more):
    shown = {f"version-{row.pk}": row.version for row in rows}
    body = {"action": action, "_selected_action": [row.pk for row in rows], **shown, **more}
    return client.post(url(model, "changelist"), body, follow=True)


def messages_of(response):
    return [str(message) for message in response.context["messages"]]


def test_the_list_carries_versions(staff, alice, propose):
    row = propose()
    page = staff(alice).get(url(Suggestion, "changelist")).content.decode()
    assert f'<input type="hidden" name="version-{row.pk}" value="1">' in page


def test_approving_in_the_admin_is_the_service(staff, alice, propose):
    fine = propose()
    assumed = propose(product=ProductFactory(), uses_assumed_facts=True)
    response = act(staff(alice), Suggestion, "approve", [fine, assumed])
    fine.refresh_from_db()
    assumed.refresh_from_db()
    assert (fine.state, assumed.state) == ("converted", "open")
    assert messages_of(response)[0].startswith("1 done")
    assert "only assumed" in messages_of(response)[1]


def test_a_row_that_changed_since_it_was_shown_is_not_decided(staff, alice, propose):
    row = propose()
    Suggestion.objects.update(version=5)
    response = act(staff(alice), Suggestion, "approve", [row])
    row.refresh_from_db()
    assert row.state == "open"
    assert "meanwhile" in messages_of(response)[1]


def test_rejecting_in_the_admin_needs_a_reason(staff, alice, propose):
    row = propose()
    client = staff(alice)
    act(client, Suggestion, "reject", [row])
    row.refresh_from_db()
    assert row.state == "open"
    act(client, Suggestion, "reject", [row], reason="budget")
    row.refresh_from_db()
    assert row.state == "rejected"


def test_four_eyes_hold_in_the_admin(staff, alice, bob, propose):
    ApprovalLimit.objects.filter(group__name="planner").update(max_line_value=1)
    row = propose()
    client = staff(alice)
    act(client, Suggestion, "approve", [row])
    row.refresh_from_db()
    assert row.state == "awaiting_second_approval"
    alice.groups.add(Group.objects.get(name="approver"))
    response = act(staff(alice), Suggestion, "give_second_approval", [row])
    assert "somebody else" in messages_of(response)[1]
    act(staff(bob), Suggestion, "give_second_approval", [row])
    row.refresh_from_db()
    assert row.state == "converted"


def test_actions_are_offered_by_permission(staff, alice, eve, dave, propose, noon):
    row = propose()
    page = staff(eve).get(url(Suggestion, "changelist")).content.decode()
    assert 'value="approve"' not in page
    act(staff(eve), Suggestion, "approve", [row])
    row.refresh_from_db()
    assert row.state == "open"
    approve_suggestion(suggestion_id=row.pk, by=alice, at=noon, version=1)
    page = staff(dave).get(url(PurchaseOrder, "changelist")).content.decode()
    assert 'value="receive_all"' in page
    assert 'value="send"' not in page


def test_an_order_goes_through_the_admin(staff, alice, carol, dave, propose, noon, product):
    approve_suggestion(suggestion_id=propose().pk, by=alice, at=noon, version=1)
    order = PurchaseOrder.objects.get()
    for user, action in ((carol, "submit"), (carol, "send"), (dave, "receive_all")):
        order.refresh_from_db()
        act(staff(user), PurchaseOrder, action, [order])
    seen = order
    act(staff(dave), PurchaseOrder, "receive_all", [seen])  # the button pressed twice
    order.refresh_from_db()
    assert order.state == "received"
    assert StockLevel.objects.get(product=product).on_hand == 72


def test_the_admin_shows_only_the_scope(staff, alice, propose):
    propose()
    UserScope.objects.get(user=alice).warehouses.add(WarehouseFactory())
    page = staff(alice).get(url(Suggestion, "changelist")).content.decode()
    assert "MUG-1" not in page


def test_a_price_added_in_the_admin_ends_the_old_one(staff, alice, product):
    client = staff(alice)
    for day, amount in (("2026-01-01", "7.30"), ("2026-06-01", "7.90")):
        body = {
            "product": product.pk,
            "channel": "",
            "amount": amount,
            "currency": "EUR",
            "valid_from": day,
        }
        response = client.post(url(Price, "add"), body, follow=True)
        assert response.status_code == 200
    spans = [(str(p.valid_from), str(p.valid_to), str(p.amount)) for p in Price.objects.all()]
    assert spans == [("2026-01-01", "2026-05-31", "7.3"), ("2026-06-01", "None", "7.9")]
