"""Fixtures that every part of the suite shares."""

import os
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.contrib.auth.models import Group
from hypothesis import settings as hypothesis_settings

from config.roles import setup_roles
from inventory.models import UserScope
from inventory.services.suggestions import OrderProposal, propose_order
from tests.factories import (
    ProductFactory,
    SupplierFactory,
    SupplierProductFactory,
    UserFactory,
    WarehouseFactory,
)
from tests.guards import let_flush_pass

let_flush_pass()

# No deadline: no test depends on how fast a machine is. The same examples each time; `make prove` looks further.
hypothesis_settings.register_profile("suite", deadline=None, derandomize=True, database=None)
hypothesis_settings.register_profile("prove", deadline=None, max_examples=2000, print_blob=True)
hypothesis_settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))


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


@pytest.fixture
def proposal(product, warehouse, supplier):
    """What a run proposes: 72 mugs at 3.10 from Acme, in packs of 12."""
    return OrderProposal(
        product_id=product.pk,
        warehouse_id=warehouse.pk,
        supplier_id=supplier.pk,
        kind="buy",
        suggested_quantity=72,
        unit_cost=Decimal("3.10"),
        currency="EUR",
        min_order_quantity=12,
        order_multiple=12,
        urgency="today",
        confidence="high",
        order_by=date(2026, 11, 24),
        expected_on=date(2026, 12, 6),
        stockout_on=date(2026, 12, 9),
        on_hand=30,
        on_order=24,
        days_of_cover=16.5,
        expected_lost_margin=Decimal("41.20"),
        why="covers 34 days",
        origin="policy:base_stock",
        uses_assumed_facts=False,
        rationale={"schema": 1, "cutoff": "2026-11-22"},
    )


@pytest.fixture
def propose(proposal, noon):
    """Propose a variant of ``proposal`` and return its live row."""

    def propose(**changes):
        for name in ("product", "warehouse", "supplier"):
            if name in changes:
                changes[f"{name}_id"] = changes.pop(name).pk
        return propose_order(proposal=replace(proposal, **changes), run_id=1, at=noon)

    return propose
