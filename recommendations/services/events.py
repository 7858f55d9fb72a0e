"""Storefront events come in: checked one by one, stored once, under no more than the visitor agreed to."""

import re
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db import DatabaseError, connections, router
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from catalog.fields import MAX_AMOUNT
from recommendations.exceptions import BadRequest, EventsNotStored
from recommendations.models import Event
from recommendations.services.visitors import Consents, settle_visitors

MAX_BATCH = 500
MAX_LINES = 100
MAX_SKEW = timedelta(hours=24)
STORE_SECONDS = 3.0
BOT_AGENT = re.compile(r"bot|crawl|spider|slurp|headless|curl/|wget/|python-requests", re.I)
MAX_QUANTITY = 1_000_000


@dataclass
class EventResult:
    """What became of one event: "accepted", "duplicate" or "rejected" with the errors by field."""

    event_id: str
    status: str
    errors: dict[str, list[dict[str, str]]] = field(default_factory=dict)


Line = tuple[str, int, Any]
"""SKU, quantity, and the price (Decimal) or None."""


@dataclass(frozen=True)
class EventDraft:
    """One checked event, with a line per product."""

    event_id: str
    type: str
    lines: tuple[Line, ...]
    visitor_key: str
    customer_key: str
    session_key: str
    consent: bool | None
    is_bot: bool
    order_ref: str
    recommendation_id: uuid.UUID | None
    position: int | None
    search_text: str
    occurred_at: datetime


def record_events(
    *, source: str, events: Sequence[Mapping[str, Any]], at: datetime
) -> list[EventResult]:
    """Store a batch and return one result per event, in the order given.

    An event id that the source has used before is a duplicate and changes nothing, whoever sends it at the same time.

    Raises:
        BadRequest: no list, an empty one, or more than 500 events.
        EventsNotStored: the event store stayed busy; nothing is stored.
    """
    if not isinstance(events, Sequence) or isinstance(events, str) or not events:
        raise BadRequest(_("Expected a list of events."), code="events_missing")
    if len(events) > MAX_BATCH:
        raise BadRequest(
            _("Expected at most %(limit)d events, received: %(count)d."),
            code="too_many_events",
            params={"limit": MAX_BATCH, "count": len(events)},
        )
    results: list[EventResult] = []
    drafts: dict[str, EventDraft] = {}
    for event in events:
        checked = check_event(event, at=at)
        if isinstance(checked, EventResult):
            results.append(checked)
        elif checked.event_id in drafts:
            results.append(EventResult(checked.event_id, "duplicate"))
        else:
            drafts[checked.event_id] = checked
            results.append(EventResult(checked.event_id, "pending"))
    stored = _store(source, list(drafts.values()), at) if drafts else set()
    for result in results:
        if result.status == "pending":
            result.status = "accepted" if result.event_id in stored else "duplicate"
    return results


def _store(source: str, drafts: list[EventDraft], at: datetime) -> set[str]:
    """Insert what is new and return the event ids that this call inserted."""
    consents = settle_visitors(
        asked=[(draft.visitor_key, draft.customer_key, draft.consent) for draft in drafts], at=at
    )
    delivery = uuid.uuid4()
    rows = [
        row
        for draft in drafts
        for row in _rows(draft, source=source, consents=consents, delivery=delivery, at=at)
    ]
    deadline = time.monotonic() + STORE_SECONDS
    while True:
        try:
            Event.objects.bulk_create(rows, ignore_conflicts=True, batch_size=250)
            break
        except DatabaseError as error:
            # Repeating is safe: what one attempt stored, the next one ignores.
            is_busy = "locked" in str(error) or "busy" in str(error)
            if not is_busy or time.monotonic() > deadline or _in_transaction():
                raise EventsNotStored(str(error)) from error
            time.sleep(0.02)
    mine = Event.objects.filter(
        source=source, event_id__in=[draft.event_id for draft in drafts], delivery=delivery
    )
    return set(mine.values_list("event_id", flat=True))


def _in_transaction() -> bool:
    return connections[router.db_for_write(Event)].in_atomic_block


def _rows(
    draft: EventDraft, *, source: str, consents: Consents, delivery: uuid.UUID, at: datetime
) -> list[Event]:
    visitor_key, has_consent = consents.of(draft.visitor_key, draft.customer_key)
    # Without consent only the session remembers, and a visitor's key stands in for a session without a key.
    session_key = draft.session_key or ("" if has_consent else draft.visitor_key)
    return [
        Event(
            source=source,
            event_id=draft.event_id,
            line=line,
            type=draft.type,
            sku=sku,
            visitor_key=visitor_key if has_consent else "",
            session_key=session_key,
            has_consent=has_consent,
            is_bot=draft.is_bot,
            quantity=quantity,
            price=price,
            order_ref=draft.order_ref,
            recommendation_id=draft.recommendation_id,
            position=draft.position,
            search_text=draft.search_text,
            occurred_at=draft.occurred_at,
            received_at=at,
            delivery=delivery,
        )
        for line, (sku, quantity, price) in enumerate(draft.lines)
    ]


def check_event(event: Any, *, at: datetime) -> EventDraft | EventResult:
    """Return the event as a draft, or the result that says which fields are wrong and why."""
    if not isinstance(event, Mapping):
        return EventResult(
            "", "rejected", {"": [_problem("not_an_object", _("Expected an object."))]}
        )
    reader = _Reader(event)
    event_id = reader.text("event_id", 64, required=True)
    kind = reader.choice("type", Event.Type.values)
    draft = EventDraft(
        event_id=event_id,
        type=kind,
        lines=reader.lines(is_required=kind not in ("search", "impression")),
        visitor_key=reader.text("visitor_id", 64),
        customer_key=reader.text("user_id", 64),
        session_key=reader.text("session_id", 64),
        consent=reader.flag("consent"),
        is_bot=bool(BOT_AGENT.search(reader.text("user_agent", 400))),
        order_ref=reader.text("order_id", 64),
        recommendation_id=reader.identifier("recommendation_id"),
        position=reader.whole("position", 0, 32_767),
        search_text=reader.text("query", 200),
        occurred_at=reader.moment("occurred_at", at),
    )
    if not (draft.visitor_key or draft.customer_key or draft.session_key):
        reader.fail("visitor_id", "required", _("Expected a visitor_id, user_id or session_id."))
    return EventResult(event_id, "rejected", reader.errors) if reader.errors else draft


def _problem(code: str, message: str) -> dict[str, str]:
    return {"code": code, "message": message}


class _Reader:
    """Reads the fields of one event and collects what is wrong with them."""

    def __init__(self, event: Mapping[str, Any]) -> None:
        self._event = event
        self.errors: dict[str, list[dict[str, str]]] = {}

    def fail(self, name: str, code: str, message: str) -> None:
        self.errors.setdefault(name, []).append(_problem(code, message))

    def text(self, name: str, limit: int, *, required: bool = False) -> str:
        return self._text(name, self._event.get(name), limit, required=required)

    def _text(self, name: str, value: Any, limit: int, *, required: bool) -> str:
        if value is None or value == "":
            if required:
                self.fail(name, "required", _("This field is required."))
            return ""
        if isinstance(value, bool) or not isinstance(value, str | int):
            self.fail(name, "invalid", _("Expected text."))
            return ""
        text = str(value)
        if len(text) > limit:
            message = _("Expected at most %(limit)d characters.") % {"limit": limit}
            self.fail(name, "max_length", message)
        if "\x00" in text:
            self.fail(name, "invalid", _("Expected text without null characters."))
        return text

    def choice(self, name: str, choices: Sequence[str]) -> str:
        value = self._event.get(name)
        if value not in choices:
            message = _("Expected one of %(choices)s.") % {"choices": ", ".join(choices)}
            self.fail(name, "invalid_choice", message)
            return ""
        return str(value)

    def flag(self, name: str) -> bool | None:
        value = self._event.get(name)
        if value is not None and not isinstance(value, bool):
            self.fail(name, "invalid", _("Expected true or false."))
            return None
        return value

    def whole(self, name: str, low: int, high: int) -> int | None:
        value = self._event.get(name)
        return None if value is None else self._whole(name, value, low, high)

    def _whole(self, name: str, value: Any, low: int, high: int) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            message = _("Expected a whole number from %(low)d to %(high)d.")
            self.fail(name, "invalid", message % {"low": low, "high": high})
            return low
        return int(value)

    def identifier(self, name: str) -> uuid.UUID | None:
        value = self._event.get(name)
        if value in (None, ""):
            return None
        try:
            return uuid.UUID(str(value))
        except ValueError:
            self.fail(name, "invalid", _("Expected a UUID."))
            return None

    def moment(self, name: str, at: datetime) -> datetime:
        value = self._event.get(name)
        if value is None:
            return at
        try:
            parsed = parse_datetime(value) if isinstance(value, str) else None
        except ValueError:
            parsed = None
        if parsed is None:
            self.fail(name, "invalid", _("Expected a time in ISO 8601."))
            return at
        moment = parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)
        if abs(moment - at) > MAX_SKEW:
            message = _("The time is more than 24 hours away from the server's clock.")
            self.fail(name, "clock_skew", message)
        return min(moment, at)

    def lines(self, *, is_required: bool) -> tuple[Line, ...]:
        """Read `items` (a list of product_id, quantity, price) or one product from the event itself."""
        items = self._event.get("items")
        if items is None:
            items = [self._event] if self._event.get("product_id") not in (None, "") else []
            prefix = ""
        else:
            prefix = "items."
        if not isinstance(items, list) or len(items) > MAX_LINES:
            message = _("Expected a list of at most %(limit)d items.") % {"limit": MAX_LINES}
            self.fail("items", "invalid", message)
            return ()
        lines = []
        for item in items:
            if not isinstance(item, Mapping):
                self.fail("items", "not_an_object", _("Expected an object."))
                continue
            sku = self._text(f"{prefix}product_id", item.get("product_id"), 60, required=True)
            quantity = item.get("quantity")
            whole = (
                1
                if quantity is None
                else self._whole(f"{prefix}quantity", quantity, 1, MAX_QUANTITY)
            )
            lines.append((sku, whole, self._price(f"{prefix}price", item.get("price"))))
        if not lines and is_required:
            self.fail("product_id", "required", _("This field is required."))
        return tuple(lines) or (("", 1, None),)

    def _price(self, name: str, value: Any) -> Decimal | None:
        if value is None:
            return None
        try:
            price = Decimal(str(value)) if not isinstance(value, bool) else Decimal("NaN")
            is_right = price.is_finite() and 0 <= price <= MAX_AMOUNT
        except InvalidOperation:
            is_right = False
        if not is_right:
            self.fail(name, "invalid", _("Expected an amount of money, as text or number."))
            return None
        return price.quantize(Decimal("0.0001"))
