"""A supplier that is known, people behind policies, and a policy of 500 a day."""

from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission

from inventory.models import (
    PurchaseOrder,
)
from inventory.services import auto_approval_runs
from inventory.services.auto_approval import (
    PolicyDraft,
    activate_policy,
    create_policy,
)


def grant(user, *names):
    for name in names:
        user.user_permissions.add(
            Permission.objects.get(content_type__app_label="inventory", codename=name)
        )
    return type(user).objects.get(pk=user.pk)


@pytest.fixture
def known(supplier, warehouse, bob, noon):
    """Acme has had an order before."""
    PurchaseOrder.objects.create(
        number="PO-OLD", supplier=supplier, warehouse=warehouse, currency="EUR", state="received",
        week=noon.date(), is_manual=True, created_at=noon, created_by=bob, approved_by=bob,
        approved_at=noon, sent_at=noon,
    )  # fmt: skip


@pytest.fixture
def author(carol):
    return grant(carol, "add_autoapprovalpolicy")


@pytest.fixture
def backer(bob):
    return grant(bob, "change_autoapprovalpolicy", "add_autoapprovalpolicy")


@pytest.fixture
def policy(known, author, backer, noon):
    """Up to 300 a line and 500 a day; nothing is drawn for a person (the share is set beside the rules)."""

    def make(**changes):
        values = {
            "name": "small orders", "currency": "EUR", "max_line_value": Decimal(300),
            "max_value_per_day": Decimal(500), **changes,
        }  # fmt: skip
        row = create_policy(draft=PolicyDraft(**values), by=author, at=noon)
        return activate_policy(policy_id=row.pk, by=backer, at=noon)

    return make


@pytest.fixture
def drawn():
    """With it, the share for persons is drawn as in real life."""


@pytest.fixture(autouse=True)
def nothing_drawn(monkeypatch, request):
    if "drawn" not in request.fixturenames:
        monkeypatch.setattr(auto_approval_runs, "goes_to_a_person", lambda **_row: False)
