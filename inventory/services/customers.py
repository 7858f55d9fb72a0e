"""Customers: under which key they are known, what they agreed to, how they are told and forgotten."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from catalog.erasure import Subject, erasers, exporters
from catalog.services.audit import audited, saw
from inventory.exceptions import NotAllowed
from inventory.models import Customer
from inventory.selectors.customers import customers
from inventory.selectors.scope import scope_of
from inventory.services.duties import require_permission

CHANGE = "inventory.change_customer"
VIEW = "inventory.view_customer"
ERASED = re.compile(r"erased-[0-9a-f]{32}")


@dataclass(frozen=True)
class Erasure:
    """``counts``: app's name for its part → what was deleted or made anonymous there."""

    customer: Customer
    counts: Mapping[str, Mapping[str, int]]


def email_pseudonym(address: str) -> str:
    """A key for somebody of whom only the e-mail is known. Nobody without our secret key can turn it back."""
    text = address.strip().lower()
    return "e-" + salted_hmac("granary.customer.email", text, algorithm="sha256").hexdigest()[:40]


@audited("customer.consent", row=Customer, pk="customer_id")
@transaction.atomic
def set_consent(*, customer_id: int, has_consent: bool, by: Any, at: datetime) -> Customer:
    """Note whether the customer agrees to personal recommendations.

    Raises:
        NotAllowed: the permission is missing, or the customer lies outside the scope.
    """
    customer = _locked(customer_id, by)
    if customer.erased_at is None and customer.has_consent != has_consent:
        customer.has_consent = has_consent
        customer.save(update_fields=["has_consent"])
    return customer


def erase_customer(*, customer_id: int, by: Any, at: datetime) -> Erasure:
    """Take the customer's key away everywhere, together with what was done on the storefront.

    Orders, sales and returns stay in the books, under a random name that leads nowhere. A new order under
    the old key makes a new customer. Repeating it changes nothing more, and mends what a crash left.

    Raises:
        NotAllowed: the permission is missing, or the customer lies outside the scope.
    """
    later: list[Any] = []
    erasure = _erase(customer_id=customer_id, by=by, at=at, later=later)
    # rows of another database that came in between the first pass and the commit
    transaction.on_commit(lambda: [again() for again in later])
    return erasure


@audited("customer.erase", row=Customer, pk="customer_id", returned=lambda done: done.customer)
@transaction.atomic
def _erase(*, customer_id: int, by: Any, at: datetime, later: list[Any]) -> Erasure:
    customer = _locked(customer_id, by)
    is_new = not (customer.erased_at and ERASED.fullmatch(customer.key))
    replacement = f"erased-{secrets.token_hex(16)}" if is_new else customer.key
    subject = Subject(customer.pk, customer.key, replacement)
    counts = {}
    for name, forget in erasers():
        forgotten = forget(subject=subject, at=at)
        counts[name] = forgotten.counts
        if forgotten.again is not None:
            later.append(forgotten.again)
    customer.refresh_from_db()
    return Erasure(customer, counts)


def export_customer(*, customer_id: int, by: Any) -> dict[str, Any]:
    """Return everything that is kept about the customer, by part of the system.

    Raises:
        NotAllowed: the permission is missing, or the customer lies outside the scope.
    """
    customer = _found(customer_id, by, VIEW)
    subject = Subject(customer.pk, customer.key, customer.key)
    return {name: tell(subject=subject) for name, tell in exporters()}


def _locked(customer_id: int, by: Any) -> Customer:
    _found(customer_id, by, CHANGE)
    customer = Customer.objects.select_for_update().get(pk=customer_id)
    saw(customer)
    return customer


def _found(customer_id: int, by: Any, permission: str) -> Customer:
    require_permission(by, permission)
    customer = customers(scope=scope_of(by)).filter(pk=customer_id).first()
    if customer is None:
        raise NotAllowed(_("This customer lies outside your scope."), code="out_of_scope")
    return customer
