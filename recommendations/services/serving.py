"""One answer of the recommender: history, candidates, the check against the stock of this moment, the price."""

import logging
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from django.db import DatabaseError

from recommendations.models import ShownList
from recommendations.selectors import history as people
from recommendations.selectors.history import History, Known, Person
from recommendations.selectors.shelf import Offer, category_family, known_skus, offers_now
from recommendations.services.ladder import (
    Candidate,
    Rung,
    Situation,
    personal_rungs,
    similar_rungs,
    trending_rungs,
)
from recommendations.services.model_store import model_store
from recommendations.services.shelves import shelf_cache

logger = logging.getLogger(__name__)
MAX_ITEMS = 100
OVER_FETCH = 2


@dataclass(frozen=True)
class ListRequest:
    """What a storefront asks for. `kind`: "for_you", "similar" or "trending"; keys may be unknown or empty."""

    kind: str = "for_you"
    placement: str = "for-you"
    limit: int = 20
    person: Person = field(default_factory=Person)
    seeds: tuple[str, ...] = ()
    cart: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    category_codes: tuple[str, ...] = ()
    region_code: str = ""
    channel: str = "shop"
    price_min: Decimal | None = None
    price_max: Decimal | None = None
    include_purchased: bool = False
    is_recorded: bool = True


@dataclass(frozen=True)
class ShownItem:
    offer: Offer
    rank: int
    score: float
    reason: str
    because_of: str | None
    strategy: str


@dataclass(frozen=True)
class Answer:
    """`strategy` = the first rung that gave an item; `skipped` = why rungs above it gave none."""

    recommendation_id: uuid.UUID
    request: ListRequest
    items: tuple[ShownItem, ...]
    strategy: str
    fallback_reason: str | None
    model_version: str
    model_engine: str
    missing_ids: tuple[str, ...]
    n_out_of_stock: int
    n_purchased: int
    at: datetime


def recommend(*, request: ListRequest, at: datetime) -> Answer:
    """Return up to `limit` products that can be sold at this moment; never a duplicate, a seed or a cart item.

    Works without a model, without history and with a busy event store: then a lower rung answers.
    """
    shelf = shelf_cache.shelf(channel=request.channel, today=at.date())
    model = model_store.current()
    known, history = _person(request, at)
    category_ids, missing = _check_ids(request, known)
    bought = history.purchased()
    purchased = set() if request.include_purchased else bought
    taken = set(request.seeds) | set(request.cart) | set(request.exclude)
    situation = Situation(
        shelf=shelf,
        model=model,
        mask=None
        if model is None
        else shelf_cache.mask(model=model, shelf=shelf, channel=request.channel),
        history=history,
        at=at,
        seeds=request.seeds,
        category_ids=category_ids,
        region_code=request.region_code or known.region_code,
        # The model is asked for something else than what the person has just looked at.
        hidden=frozenset(taken | (set(history.skus) - bought) | purchased),
    )
    filling = _Filling(request, at, purchased, taken)
    for rung in _rungs(request, situation):
        filling.add(rung)
        if filling.is_full:
            break
    answer = Answer(
        recommendation_id=uuid.uuid4(),
        request=request,
        items=tuple(filling.items),
        strategy=filling.items[0].strategy if filling.items else "empty",
        fallback_reason=_fallback_reason(filling.items, request, situation),
        model_version="" if model is None else model.version,
        model_engine="" if model is None else model.engine,
        missing_ids=missing,
        n_out_of_stock=filling.n_out_of_stock,
        n_purchased=len(purchased),
        at=at,
    )
    if request.is_recorded:
        _record_shown(answer, known)
    return answer


class _Filling:
    """Fills the list from rung after rung, each batch checked against the stock in one query."""

    def __init__(
        self, request: ListRequest, at: datetime, purchased: set[str], taken: set[str]
    ) -> None:
        self.items: list[ShownItem] = []
        self.n_out_of_stock = 0
        self._request, self._at = request, at
        self._purchased, self._taken = purchased, set(taken)

    @property
    def is_full(self) -> bool:
        return len(self.items) >= self._request.limit

    def add(self, rung: Rung) -> None:
        waiting = iter(rung.candidates())
        while not self.is_full:
            batch = self._next_batch(waiting, repeats_allowed=rung.repeats_allowed)
            if not batch:
                return
            offers = offers_now(
                skus=[candidate.sku for candidate in batch],
                channel=self._request.channel,
                today=self._at.date(),
            )
            self.n_out_of_stock += len(batch) - len(offers)
            self._take(batch, offers, rung.strategy)

    def _next_batch(
        self, waiting: Iterator[Candidate], *, repeats_allowed: bool
    ) -> list[Candidate]:
        size = OVER_FETCH * (self._request.limit - len(self.items))
        batch: list[Candidate] = []
        for candidate in waiting:
            is_repeat = candidate.sku in self._purchased and not repeats_allowed
            if candidate.sku in self._taken or is_repeat:
                continue
            self._taken.add(candidate.sku)
            batch.append(candidate)
            if len(batch) >= size:
                break
        return batch

    def _take(self, batch: Sequence[Candidate], offers: dict[str, Offer], strategy: str) -> None:
        for candidate in batch:
            offer = offers.get(candidate.sku)
            if self.is_full or offer is None or not self._is_in_price_range(offer):
                continue
            self.items.append(
                ShownItem(
                    offer=offer,
                    rank=len(self.items) + 1,
                    score=candidate.score,
                    reason=candidate.reason,
                    because_of=candidate.because_of,
                    strategy=strategy,
                )
            )

    def _is_in_price_range(self, offer: Offer) -> bool:
        low, high = self._request.price_min, self._request.price_max
        if low is None and high is None:
            return True
        if offer.price is None:
            return False
        return (low is None or offer.price >= low) and (high is None or offer.price <= high)


def _rungs(request: ListRequest, situation: Situation) -> Iterator[Rung]:
    if request.kind == "similar":
        return similar_rungs(situation)
    if request.kind == "trending":
        return trending_rungs(situation)
    return personal_rungs(situation)


def _person(request: ListRequest, at: datetime) -> tuple[Known, History]:
    if request.kind == "trending":
        return Known(), History()
    known = people.find_person(person=request.person)
    if request.kind == "similar":
        return known, History()
    history, orders = people.sales_history(known=known, at=at)
    try:
        people.add_events(history=history, orders=orders, known=known, at=at)
    except DatabaseError as error:
        # A busy event store costs the answer its last seconds of history, not the answer.
        logger.warning("Storefront events cannot be read: %s", error)
    for sku in request.cart:
        history.add(sku, "add_to_cart", at)
    if request.kind == "for_you":
        for sku in request.seeds:
            history.add(sku, "view", at)
    return known, history


def _check_ids(request: ListRequest, known: Known) -> tuple[frozenset[int] | None, tuple[str, ...]]:
    """Return the ids of the asked categories (None = all) and the keys that nobody knows."""
    missing: list[str] = []
    asked = [*request.seeds, *request.cart]
    if asked:
        existing = known_skus(skus=asked)
        missing += [sku for sku in asked if sku not in existing]
    if known.is_customer_unknown:
        missing.append(request.person.customer_key)
    if request.region_code and not people.region_exists(code=request.region_code):
        missing.append(request.region_code)
    if not request.category_codes:
        return None, tuple(missing)
    family, unknown = category_family(codes=request.category_codes)
    missing += sorted(unknown)
    # An unknown category cannot be shown; without any known one the whole shop is the better answer.
    return (frozenset(family) or None), tuple(missing)


def _fallback_reason(
    items: Iterable[ShownItem], request: ListRequest, situation: Situation
) -> str | None:
    """Return why not every item comes from the rung that was asked for, or None."""
    wanted = {
        "for_you": {"personalised", "session"}, "similar": {"similar"}, "trending": {"trending"}
    }[request.kind]  # fmt: skip
    if all(item.strategy in wanted for item in items):
        return None
    if request.kind == "trending":
        return "no_recent_sales"
    if situation.model is None:
        return "no_model"
    if request.kind == "similar":
        return "too_few_neighbours"
    return "too_few_candidates" if situation.history.skus else "no_history"


def _record_shown(answer: Answer, known: Known) -> None:
    """Keep what was shown, so that clicks can be credited; an answer does not wait for a busy store."""
    request = answer.request
    try:
        ShownList.objects.create(
            id=answer.recommendation_id,
            placement=request.placement,
            strategy=answer.strategy,
            model_version=answer.model_version,
            # Without consent the list belongs to a session, not to a visitor.
            visitor_key=request.person.visitor_key if known.visitor_keys else "",
            session_key=known.session_keys[0] if known.session_keys else "",
            items=[item.offer.sku for item in answer.items],
            scores=[round(item.score, 6) for item in answer.items],
            reasons=[item.reason for item in answer.items],
            at=answer.at,
        )
    except DatabaseError as error:
        logger.warning("A shown list was not kept: %s", error)
