"""Fixtures that every part of the suite shares."""

from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import Group

from config.roles import setup_roles
from inventory.models import UserScope
from tests.factories import (
    ProductFactory,
    SupplierFactory,
    SupplierProductFactory,
    UserFactory,
    WarehouseFactory,
)


@pytest.fixture
def noon():
    """The test's clock: a Monday at noon."""
    return datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def roles(db):
    """Groups, first limits in EUR and reason codes, as `setup_roles` writes them."""
    return setup_roles(currencies=["EUR"])


@pytest.fixture
def make_user(roles):
    """Make a user with a role who sees everything (``scoped=False``: nothing)."""

    def make(username, role=None, *, scoped=True):
        user = UserFactory(username=username)
        if role is not None:
            user.groups.add(Group.objects.get(name=role))
        if scoped:
            UserScope.objects.create(user=user)
        return user

    return make


@pytest.fixture
def alice(make_user):
    return make_user("alice", "planner")


@pytest.fixture
def bob(make_user):
    return make_user("bob", "approver")


@pytest.fixture
def carol(make_user):
    return make_user("carol", "buyer")


@pytest.fixture
def dave(make_user):
    return make_user("dave", "stock_keeper")


@pytest.fixture
def eve(make_user):
    return make_user("eve", "viewer")


@pytest.fixture
def frank(make_user):
    """A planner without a scope row: sees nothing."""
    return make_user("frank", "planner", scoped=False)


@pytest.fixture
def warehouse(db):
    return WarehouseFactory(code="MAIN")


@pytest.fixture
def supplier(db):
    return SupplierFactory(code="ACME", name="Acme")


@pytest.fixture
def product(supplier):
    """A product that Acme delivers in packs of 12."""
    product = ProductFactory(sku="MUG-1")
    SupplierProductFactory(product=product, supplier=supplier)
    return product
