"""A customer is forgotten, or asks what is known: visitors, storefront events, shown lists."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from django.db import OperationalError

from catalog.erasure import Forgotten, Subject
from recommendations.models import Event, ShownList, Visitor
from recommendations.selectors.history import own_key

PATIENCE_SECONDS = 5.0  # the store of events gives up quickly; an erasure may wait
MOST_TOLD = 100_000
PIECE = 500


def forget_customer(*, subject: Subject, at: datetime) -> Forgotten:
    """Delete what the customer did on the storefront, under whichever visitor, and the visitors.

    Events lie in a database of their own, so they go first: where the transaction around this fails, the visitors are
    still there to repeat it. ``again`` takes what came in until the commit.
    """
    visitors = Visitor.objects.filter(customer_id=subject.customer_id)
    keys = {own_key(subject.key), *visitors.values_list("key", flat=True)}

    def behaviour() -> dict[str, int]:
        return {
            "events": _patiently(lambda: _delete_of(Event, keys)),
            "shown_lists": _patiently(lambda: _delete_of(ShownList, keys)),
        }

    counts = behaviour()
    # a visitor that holds the own key but was never linked is this customer all the same
    counts["visitors"] = Visitor.objects.filter(key__in=keys).delete()[0]
    return Forgotten(counts=counts, again=behaviour)


def tell_customer(*, subject: Subject) -> dict[str, Any]:
    """Return visitors, events and shown lists of the customer."""
    visitors = list(Visitor.objects.filter(customer_id=subject.customer_id).order_by("id"))
    keys = {own_key(subject.key), *(visitor.key for visitor in visitors)}
    events = Event.objects.filter(visitor_key__in=keys) | Event.objects.filter(session_key__in=keys)
    shown = ShownList.objects.filter(visitor_key__in=keys) | ShownList.objects.filter(
        session_key__in=keys
    )
    return {
        "visitors": [
            {"key": row.key, "has_consent": row.has_consent, "first_seen_at": row.first_seen_at}
            for row in visitors
        ],
        "events": [
            {
                "type": row.type, "sku": row.sku, "quantity": row.quantity, "price": row.price,
                "order_ref": row.order_ref, "search_text": row.search_text,
                "occurred_at": row.occurred_at,
            }
            for row in events.order_by("occurred_at", "id")[:MOST_TOLD]
        ],
        "shown_lists": [
            {"placement": row.placement, "items": row.items, "at": row.at}
            for row in shown.order_by("at")[:MOST_TOLD]
        ],
    }  # fmt: skip


def _delete_of(model: type[Event] | type[ShownList], keys: set[str]) -> int:
    # rows without consent carry the key as their session
    return sum(
        model.objects.filter(**{f"{name}__in": keys}).delete()[0]
        for name in ("visitor_key", "session_key")
    )


def _patiently(delete: Callable[[], int]) -> int:
    """Delete, and wait for another writer where the store of events is busy."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return delete()
        except OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def purge_orphans() -> int:
    """Delete events and lists under the key of a visitor that is gone; return how many.

    Events lie in a database of their own. One that came in while its visitor was being forgotten is found here.
    """
    count = 0
    for model in (Event, ShownList):
        keys = (
            model.objects.exclude(visitor_key="").order_by().values_list("visitor_key", flat=True)
        )
        asked = set(keys.distinct())
        for piece in _pieces(sorted(asked)):
            known = set(Visitor.objects.filter(key__in=piece).values_list("key", flat=True))
            count += model.objects.filter(visitor_key__in=set(piece) - known).delete()[0]
    return count


def _pieces(keys: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(keys), PIECE):
        yield keys[start : start + PIECE]
