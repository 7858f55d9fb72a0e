"""What is known about the person in front of the screen, as far as consent goes."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Q

from catalog.models import Region
from inventory.models import Customer, Sale
from recommendations.models import Event, Visitor

MAX_SALES = 200
MAX_EVENTS = 100
SESSION_HOURS = 24
MAX_EVENT_AGE_DAYS = 365
MAX_VISITORS = 20


@dataclass(frozen=True)
class Person:
    """Who asks, by the shop's keys; any of them may be empty."""

    customer_key: str = ""
    visitor_key: str = ""
    session_key: str = ""


@dataclass(frozen=True)
class Known:
    """A person looked up. `visitor_keys` and `customer_id` are empty without consent."""

    customer_id: int | None = None
    visitor_keys: tuple[str, ...] = ()
    session_keys: tuple[str, ...] = ()
    region_code: str = ""
    is_customer_unknown: bool = False


@dataclass
class History:
    """Events of one person, newest first: SKU, kind, time and the order they belong to."""

    skus: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    times: list[datetime] = field(default_factory=list)
    n_long_term: int = 0

    def add(self, sku: str, kind: str, at: datetime) -> None:
        self.skus.append(sku)
        self.kinds.append(kind)
        self.times.append(at)

    def ages_days(self, at: datetime) -> list[float]:
        return [max((at - moment).total_seconds() / 86_400, 0.0) for moment in self.times]

    def purchased(self) -> set[str]:
        return {sku for sku, kind in zip(self.skus, self.kinds, strict=True) if kind == "purchase"}


def own_key(customer_key: str) -> str:
    """The visitor that stands for a customer whose shop sends no visitor key."""
    return f"user:{customer_key}"[:64] if customer_key else ""


def find_person(*, person: Person) -> Known:
    """Look a person up. What somebody has not consented to is not read."""
    visitor_key = person.visitor_key or own_key(person.customer_key)
    # Without consent a visitor's key lives no longer than a session: events are kept under it as such.
    session_keys = tuple(key for key in dict.fromkeys((person.session_key, visitor_key)) if key)
    customer = _customer(person)
    mine = Q(key=visitor_key)
    if customer is not None and _agrees(customer):
        mine |= Q(customer=customer)
    visitors = (
        Visitor.objects.filter(mine, has_consent=True)
        .order_by("-id")
        .values_list("key", flat=True)[:MAX_VISITORS]
        if visitor_key
        else []
    )
    return Known(
        customer_id=customer.pk if customer is not None and _agrees(customer) else None,
        visitor_keys=tuple(sorted(visitors)),
        session_keys=session_keys,
        region_code=customer.region.code if customer is not None and customer.region else "",
        is_customer_unknown=bool(person.customer_key) and customer is None,
    )


def _customer(person: Person) -> Customer | None:
    """The customer who is named, or whom the visitor agreed to be taken for."""
    customers = Customer.objects.select_related("region")
    if person.customer_key:
        return customers.filter(key=person.customer_key).first()
    if not person.visitor_key:
        return None
    return customers.filter(visitors__key=person.visitor_key, visitors__has_consent=True).first()


def _agrees(customer: Customer) -> bool:
    return customer.has_consent and customer.erased_at is None


def sales_history(*, known: Known, at: datetime) -> tuple[History, set[str]]:
    """Return the latest purchases of the customer and the references of their orders."""
    history = History()
    orders: set[str] = set()
    if known.customer_id is None:
        return history, orders
    rows = (
        Sale.objects.published()
        .filter(customer_id=known.customer_id, sold_at__lte=at)
        .order_by("-sold_at", "-id")
        .values_list("product__sku", "sold_at", "order_ref")[:MAX_SALES]
    )
    for sku, sold_at, order_ref in rows:
        history.add(sku, "purchase", sold_at)
        orders.add(order_ref)
    history.n_long_term = len(history.skus)
    return history, orders


def add_events(*, history: History, orders: set[str], known: Known, at: datetime) -> None:
    """Add the person's latest storefront events, up to those of this second.

    A purchase event of an order that came as a sale as well is the same purchase and is left out.
    """
    if not known.visitor_keys and not known.session_keys:
        return
    mine = Q()
    if known.visitor_keys:
        since = at - timedelta(days=MAX_EVENT_AGE_DAYS)
        mine |= Q(visitor_key__in=known.visitor_keys, occurred_at__gte=since)
    if known.session_keys:
        since = at - timedelta(hours=SESSION_HOURS)
        mine |= Q(session_key__in=known.session_keys, occurred_at__gte=since)
    rows = (
        Event.objects.filter(mine, occurred_at__lte=at)
        .exclude(sku="")
        .exclude(type__in=(Event.Type.IMPRESSION, Event.Type.SEARCH))
        .order_by("-occurred_at", "-id")
        .values_list("sku", "type", "occurred_at", "order_ref", "session_key")[:MAX_EVENTS]
    )
    for sku, kind, occurred_at, order_ref, session_key in rows:
        if kind == Event.Type.PURCHASE and order_ref and order_ref in orders:
            continue
        history.add(sku, kind, occurred_at)
        history.n_long_term += session_key not in known.session_keys


def region_exists(*, code: str) -> bool:
    return Region.objects.filter(code=code).exists()
