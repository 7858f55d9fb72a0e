"""How long suppliers really took, read off the receipts."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import sqrt
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError

from catalog.models import Supplier
from catalog.selectors.calendar import next_order_day
from inventory.models import PurchaseOrder, PurchaseOrderLine, ReceiptLine
from inventory.selectors.scope import Scope

WINDOW = timedelta(days=730)
OTIF_WINDOW = timedelta(days=365)


@dataclass(frozen=True)
class Delivery:
    """Pieces of one product that arrived with one receipt, ``days`` after their order day."""

    supplier_id: int
    product_id: int
    sku: str
    receipt_id: int
    order_id: int
    number: str
    ordered_on: date
    received_on: date
    days: int
    quantity: int


@dataclass(frozen=True)
class LeadTimeSummary:
    """Days weighted by pieces. ``receipts``: how many receipts; the deviation is that of a sample."""

    receipts: int
    pieces: int
    mean: float
    sd: float
    p50: int
    p90: int


@dataclass(frozen=True)
class OnTimeInFull:
    """Of ``lines`` order lines that were due, ``kept`` had arrived whole on the expected day or before."""

    lines: int
    kept: int

    @property
    def share(self) -> float | None:
        return self.kept / self.lines if self.lines else None


def deliveries(*, scope: Scope, until: datetime, supplier_id: int | None = None) -> list[Delivery]:
    """Return what arrived in the two years before ``until``, oldest first; reversed receipts are left out.

    Days are counted as plans count them: from the supplier's order day on or after the day of sending, in
    the warehouse's time zone, without the days on which the supplier was closed.
    """
    rows = ReceiptLine.objects.filter(
        receipt__reversed_at__isnull=True,
        receipt__received_at__gt=until - WINDOW,
        receipt__received_at__lte=until,
        receipt__order__sent_at__isnull=False,
    )
    if supplier_id is not None:
        rows = rows.filter(receipt__order__supplier_id=supplier_id)
    rows = scope.restrict(
        rows,
        product="order_line__product",
        warehouse="receipt__order__warehouse",
        supplier="receipt__order__supplier",
    )
    facts = rows.order_by("receipt__received_at", "pk").values_list(
        "receipt__order__supplier_id", "order_line__product_id", "order_line__product__sku",
        "receipt_id", "receipt__order_id", "receipt__order__number", "receipt__order__sent_at",
        "receipt__received_at", "receipt__order__warehouse__time_zone", "quantity",
    )  # fmt: skip
    calendars = _Calendars()
    found = []
    for (
        supplier,
        product,
        sku,
        receipt,
        order,
        number,
        sent_at,
        arrived_at,
        zone,
        quantity,
    ) in facts:
        there = ZoneInfo(zone)
        assert sent_at is not None
        ordered_on = calendars.order_day(supplier, sent_at.astimezone(there).date())
        received_on = arrived_at.astimezone(there).date()
        days = calendars.counted(supplier, ordered_on, received_on)
        found.append(
            Delivery(
                supplier, product, sku, receipt, order, number, ordered_on, received_on, days, quantity
            )
        )  # fmt: skip
    return found


def summarise(found: Collection[Delivery]) -> LeadTimeSummary | None:
    """Return mean, deviation and quantiles of the days, each piece counting once; ``None`` of nothing."""
    pieces = sum(delivery.quantity for delivery in found)
    if not pieces:
        return None
    receipts = len({delivery.receipt_id for delivery in found})
    mean = sum(delivery.days * delivery.quantity for delivery in found) / pieces
    spread = sum(delivery.quantity * (delivery.days - mean) ** 2 for delivery in found) / pieces
    correction = receipts / (receipts - 1) if receipts > 1 else 0.0
    return LeadTimeSummary(
        receipts=receipts,
        pieces=pieces,
        mean=mean,
        sd=sqrt(spread * correction),
        p50=_quantile(found, pieces, 0.5),
        p90=_quantile(found, pieces, 0.9),
    )


def histogram(found: Collection[Delivery]) -> list[tuple[int, int]]:
    """Return (days, pieces) for each number of days that occurred, shortest first."""
    pieces: dict[int, int] = defaultdict(int)
    for delivery in found:
        pieces[delivery.days] += delivery.quantity
    return sorted(pieces.items())


def on_time_in_full(*, scope: Scope, supplier_id: int, until: datetime) -> OnTimeInFull:
    """Return how many order lines of a year were delivered whole by the day they were expected for.

    A line is due when its expected day is before the day of ``until``; what was cancelled is not counted.
    """
    lines = PurchaseOrderLine.objects.filter(
        order__supplier_id=supplier_id,
        order__state__in=PurchaseOrder.REACHED_SUPPLIER,
        order__sent_at__gt=until - OTIF_WINDOW,
        expected_on__lt=until.date(),
    )
    due = {
        pk: (quantity, expected_on)
        for pk, quantity, expected_on in scope.restrict(
            lines, warehouse="order__warehouse", supplier="order__supplier"
        ).values_list("pk", "quantity", "expected_on")
    }
    arrived: dict[int, int] = defaultdict(int)
    receipts = ReceiptLine.objects.filter(
        order_line__in=lines, receipt__reversed_at__isnull=True
    ).values_list(
        "order_line_id", "quantity", "receipt__received_at", "receipt__order__warehouse__time_zone"
    )
    for line_id, quantity, received_at, zone in receipts:
        expected = due.get(line_id)
        on = received_at.astimezone(ZoneInfo(zone)).date()
        if expected is not None and expected[1] is not None and on <= expected[1]:
            arrived[line_id] += quantity
    kept = sum(arrived[line_id] >= quantity for line_id, (quantity, _day) in due.items())
    return OnTimeInFull(lines=len(due), kept=kept)


class _Calendars:
    """Suppliers with their closures, read once each."""

    def __init__(self) -> None:
        self._suppliers: dict[int, Supplier] = {}

    def order_day(self, supplier_id: int, day: date) -> date:
        try:
            return next_order_day(self._supplier(supplier_id), day)
        except (
            ValidationError
        ):  # by today's calendar it takes no orders at all: then the day it was sent
            return day

    def counted(self, supplier_id: int, first: date, last: date) -> int:
        """Days after ``first`` up to ``last`` on which the supplier was open."""
        days = max((last - first).days, 0)
        for closure in self._supplier(supplier_id).closures.all():
            starts_on = max(closure.starts_on, first + timedelta(days=1))
            ends_on = min(closure.ends_on, last)
            days -= max((ends_on - starts_on).days + 1, 0)
        return max(days, 0)

    def _supplier(self, supplier_id: int) -> Supplier:
        if supplier_id not in self._suppliers:
            self._suppliers[supplier_id] = Supplier.objects.prefetch_related("closures").get(
                pk=supplier_id
            )
        return self._suppliers[supplier_id]


def _quantile(found: Collection[Delivery], pieces: int, level: float) -> int:
    """The shortest number of days within which at least that share of the pieces had come."""
    seen = 0
    for days, quantity in histogram(found):
        seen += quantity
        if seen >= level * pieces:
            return days
    return _longest(list(found))


def _longest(found: Sequence[Delivery]) -> int:
    return max(delivery.days for delivery in found)
