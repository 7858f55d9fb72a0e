"""Roles: who may what, and that a second set-up takes nothing back."""

from decimal import Decimal
from io import StringIO

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command

from config.roles import setup_roles
from inventory.models import ApprovalLimit, ReasonCode
from inventory.selectors.scope import Scope, scope_of
from tests.factories import CategoryFactory, SupplierFactory, UserFactory, WarehouseFactory

pytestmark = pytest.mark.django_db

DUTIES = {
    "inventory.decide_suggestion": {"alice", "bob", "carol"},
    "inventory.second_approve_suggestion": {"bob"},
    "inventory.send_purchaseorder": {"carol"},
    "inventory.approve_purchaseorder": {"bob"},
    "inventory.receive_purchaseorder": {"carol", "dave"},
    "inventory.view_suggestion": {"alice", "bob", "carol", "dave", "eve"},
    "inventory.add_importbatch": {"alice"},
    "catalog.change_supplierproduct": {"carol"},
}


@pytest.mark.parametrize("permission", DUTIES)
def test_duties(permission, alice, bob, carol, dave, eve):
    able = {user.username for user in (alice, bob, carol, dave, eve) if user.has_perm(permission)}
    assert able == DUTIES[permission]


def test_administrators_keep_the_installation_and_buy_nothing(make_user):
    admin = make_user("ada", "admin")
    assert admin.has_perm("catalog.change_product")
    assert admin.has_perm("auth.add_user")
    assert not any(
        admin.has_perm(p)
        for p in DUTIES
        if p.split(".")[1].split("_")[0] not in ("view", "add", "change")
    )


def test_a_second_set_up_keeps_what_people_changed(roles):
    ApprovalLimit.objects.filter(group__name="planner").update(max_line_value=Decimal(7))
    ReasonCode.objects.filter(code="budget").update(is_active=False, label="No money")
    Group.objects.get(name="viewer").permissions.clear()
    call_command("setup_roles", stdout=StringIO())
    assert ApprovalLimit.objects.get(group__name="planner", currency="EUR").max_line_value == 7
    assert ReasonCode.objects.get(code="budget").label == "No money"
    assert Group.objects.get(name="viewer").permissions.exists()
    assert ReasonCode.objects.get(code="other").note_required
    assert ReasonCode.objects.filter(purpose="decision").count() == 15


def test_limits_come_in_the_currencies_of_the_catalog(db):
    SupplierFactory(currency="GBP")
    setup_roles()
    assert ApprovalLimit.objects.filter(currency="GBP").count() == 3


def test_scopes(alice, frank):
    assert scope_of(alice) == Scope(None, None, None)
    assert scope_of(frank) == Scope.nothing()
    assert scope_of(UserFactory(is_superuser=True)) == Scope.everything()
    assert scope_of(UserFactory(is_superuser=True, is_active=False)) == Scope.nothing()


def test_a_category_brings_its_children(alice):
    top = CategoryFactory()
    inner = CategoryFactory(parent=CategoryFactory(parent=top))
    warehouse = WarehouseFactory()
    alice.scope.categories.add(top)
    alice.scope.warehouses.add(warehouse)
    assert scope_of(alice) == Scope(
        frozenset({warehouse.pk}), frozenset({top.pk, inner.parent_id, inner.pk}), None
    )
