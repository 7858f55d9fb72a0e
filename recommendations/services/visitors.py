"""Visitors: who agreed to what, which customer they are, and how they are forgotten."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from inventory.models import Customer
from recommendations.models import Event, ShownList, Visitor
from recommendations.selectors.history import own_key

SESSION_KEPT = timedelta(hours=24)
EVENTS_KEPT = timedelta(days=730)
SHOWN_KEPT = timedelta(days=90)
Asked = tuple[str, str, bool | None]
"""Visitor key, customer key (either may be empty), and the consent that came along, if any."""


@dataclass(frozen=True)
class Consents:
    """Visitor keys after settling: which of them agreed to be remembered."""

    by_key: dict[str, bool]

    def of(self, visitor_key: str, customer_key: str) -> tuple[str, bool]:
        """Return the key to store an event under, and whether it may be stored under it."""
        key = visitor_key or own_key(customer_key)
        return key, self.by_key.get(key, False)


@dataclass(frozen=True)
class Erased:
    visitors: int
    events: int
    shown_lists: int


@transaction.atomic
def settle_visitors(*, asked: Sequence[Asked], at: datetime) -> Consents:
    """Create missing visitors, link them to their customers, and take over what they agreed to.

    A consent in the request counts from now on. Without one a visitor keeps what was said before; a new visitor
    has what the customer agreed to, and nobody without a customer has agreed to anything.
    """
    customers = _customers(asked)
    wanted: dict[str, tuple[str, bool | None]] = {}
    for visitor_key, customer_key, consent in asked:
        key = visitor_key or own_key(customer_key)
        if key:
            before = wanted.get(key, ("", None))
            said = before[1] if consent is None else consent
            wanted[key] = (customer_key or before[0], said)
    known = {visitor.key: visitor for visitor in Visitor.objects.filter(key__in=wanted)}
    new = []
    for key, (customer_key, consent) in sorted(wanted.items()):
        customer = customers.get(customer_key)
        if key not in known:
            agreed = customer is not None and customer.has_consent if consent is None else consent
            new.append(Visitor(key=key, customer=customer, has_consent=agreed, first_seen_at=at))
            continue
        visitor = known[key]
        is_linked = customer is None or visitor.customer_id == customer.pk
        if not is_linked or (consent is not None and visitor.has_consent != consent):
            visitor.customer = visitor.customer if customer is None else customer
            visitor.has_consent = visitor.has_consent if consent is None else consent
            visitor.save(update_fields=["customer", "has_consent"])
    if new:
        Visitor.objects.bulk_create(new, ignore_conflicts=True)
        known.update({visitor.key: visitor for visitor in new})
    return Consents({key: visitor.has_consent for key, visitor in known.items()})


def _customers(asked: Sequence[Asked]) -> dict[str, Customer]:
    keys = sorted({customer for _, customer, _ in asked if customer})
    found = {customer.key: customer for customer in Customer.objects.filter(key__in=keys)}
    missing = [key for key in keys if key not in found]
    if missing:
        # A customer may look around before the first order; the key is the shop's own.
        agreed = {customer for _, customer, consent in asked if consent}
        rows = [Customer(key=key, has_consent=key in agreed) for key in missing]
        Customer.objects.bulk_create(rows, ignore_conflicts=True)
        found.update({row.key: row for row in Customer.objects.filter(key__in=missing)})
    return found


def erase_visitor(*, key: str, at: datetime) -> Erased:
    """Forget a visitor: events, shown lists and the row itself. Repeating it is harmless.

    A linked customer's consent ends as well, together with the other visitors of that customer, so the next training
    leaves the sales out; the sales stay, because they belong to the shop's books.
    """
    visitor = Visitor.objects.select_related("customer").filter(key=key).first()
    return _erase({key}, visitor.customer if visitor is not None else None, at)


def erase_customer(*, key: str, at: datetime) -> Erased:
    """Forget what a customer did on the storefront, under whichever visitor."""
    return _erase({own_key(key)}, Customer.objects.filter(key=key).first(), at)


def _erase(keys: set[str], customer: Customer | None, at: datetime) -> Erased:
    if customer is not None:
        keys |= set(Visitor.objects.filter(customer=customer).values_list("key", flat=True))
        keys.add(own_key(customer.key))
    # The rows with the behaviour go first: if this stops half-way, the visitor is still there to repeat it.
    events = _delete_of(Event, keys)
    shown = _delete_of(ShownList, keys)
    with transaction.atomic():
        if customer is not None:
            Customer.objects.filter(pk=customer.pk).update(has_consent=False, erased_at=at)
        deleted, _ = Visitor.objects.filter(key__in=keys).delete()
    return Erased(visitors=deleted, events=events, shown_lists=shown)


def _delete_of(model: type[Event] | type[ShownList], keys: set[str]) -> int:
    # Rows without consent carry the key as their session.
    return sum(
        model.objects.filter(**{f"{name}__in": keys}).delete()[0]
        for name in ("visitor_key", "session_key")
    )


def purge_expired(*, at: datetime) -> dict[str, int]:
    """Delete what may not be kept: sessions without consent after a day, events after two years."""
    rows = {
        "sessions": Event.objects.filter(has_consent=False, received_at__lt=at - SESSION_KEPT),
        "events": Event.objects.filter(received_at__lt=at - EVENTS_KEPT),
    }
    counts = {name: found.delete()[0] for name, found in rows.items()}
    shown = ShownList.objects.filter(at__lt=at - SHOWN_KEPT)
    anonymous = ShownList.objects.filter(visitor_key="", at__lt=at - SESSION_KEPT)
    counts["shown_lists"] = shown.delete()[0]
    counts["sessions_of_lists"] = anonymous.exclude(session_key="").update(session_key="")
    return counts
