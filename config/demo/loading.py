"""Bring the demo company into an empty database, by the same doors as a shop's own data."""

import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from catalog.models import Product, Run, Supplier
from catalog.services.runs import enqueue_run
from catalog.tasks import run_inline
from config.demo import company
from config.demo.assortment import Assortment, make_assortment
from config.demo.history import History, make_history
from config.demo.sales_file import write_sales_file
from inventory.models import Warehouse
from inventory.services.imports import RUN_KIND, create_batch
from inventory.services.ledger import open_ledger
from inventory.services.purchasing import (
    ManualLine,
    approve_order,
    create_manual_order,
    send_order,
    submit_order,
)
from recommendations.services.events import record_events

PRODUCTS, CUSTOMERS, DAYS = 240, 1500, 730
EVENT_DAYS = 28
EVENT_BATCH = 500


@dataclass(frozen=True)
class DemoSize:
    products: int = PRODUCTS
    customers: int = CUSTOMERS
    days: int = DAYS


def load_demo(
    *, seed: int, until: date, at: datetime, size: DemoSize = DemoSize(), quiet: bool = False
) -> Iterator[str]:
    """Load the company step by step; yields what comes next, for a progress bar.

    Raises ValidationError when there is something in the database already.
    """
    if not company.is_empty():
        raise ValidationError(
            _(
                "There are products or warehouses already: the demo company needs an empty database."
            ),
            code="not_empty",
        )
    yield _("People and places")
    people = company.make_people()
    warehouses = company.make_places()
    suppliers = company.make_suppliers()
    yield _("Two years of trade")
    assortment = make_assortment(seed=seed, products=size.products, days=size.days)
    history = make_history(
        assortment, seed=seed, until=until, days=size.days, customers=size.customers
    )
    yield _("Products, prices, promotions")
    products = company.make_products(assortment, history, suppliers)
    company.make_promotions(history)
    yield _("Sales")
    _import_sales(assortment, history, at=at, by=people["paula"])
    yield _("Stock and orders on their way")
    opening = datetime.combine(until + timedelta(days=1), time(), tzinfo=UTC)
    _open_stock(history, products, warehouses, at=opening)
    _open_orders(history, products, warehouses, suppliers, people, at=at)
    company.retire_products(assortment, history, products)
    yield _("Storefront events")
    _record_events(seed, assortment, history)


def _import_sales(assortment: Assortment, history: History, *, at: datetime, by: User) -> None:
    with tempfile.TemporaryDirectory(prefix="granary-demo-") as folder:
        path = Path(folder) / "demo-company.csv"
        write_sales_file(path, assortment=assortment, history=history)
        batch = create_batch(
            preset="generic", at=at, path=str(path), options={"open_ledger": False}, by=by
        )
        run = enqueue_run(kind=RUN_KIND, at=at, parameters={"batch_id": batch.pk}, by=by)
        run = run_inline(run, quiet=True)
    if run.state != Run.State.SUCCEEDED:
        raise ValidationError(run.error, code="import_failed")


def _open_stock(
    history: History, products: list[Product], warehouses: list[Warehouse], *, at: datetime
) -> None:
    for position, warehouse in enumerate(warehouses):
        balances = {
            product.pk: int(history.on_hand[-1, i, position]) for i, product in enumerate(products)
        }
        open_ledger(
            warehouse=warehouse, balances=balances, at=at, note=_("Opening of the demo company")
        )


def _open_orders(
    history: History,
    products: list[Product],
    warehouses: list[Warehouse],
    suppliers: dict[str, Supplier],
    people: dict[str, User],
    *,
    at: datetime,
) -> None:
    """Orders of the old rule that have not arrived: one per supplier, warehouse and day, sent on that day."""
    supplier_of = {
        terms.product_id: supplier
        for supplier in suppliers.values()
        for terms in supplier.supplier_products.all()
    }
    bundles: dict[tuple[date, str, int], dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for order in history.open_orders:
        product = products[order.product]
        key = (order.ordered_on, supplier_of[product.pk].code, order.warehouse)
        bundles[key][product.pk] += order.quantity
    for (day, code, position), quantities in sorted(bundles.items()):
        sent_at = datetime.combine(day, time(9), tzinfo=UTC)
        draft = create_manual_order(
            supplier=suppliers[code],
            warehouse=warehouses[position],
            lines=[ManualLine(product, quantity) for product, quantity in quantities.items()],
            by=people["bruno"],
            at=sent_at,
        )
        order = submit_order(
            order_id=draft.pk, by=people["bruno"], at=sent_at, accept_below_minimum=True
        )
        if order.state == order.State.AWAITING_APPROVAL:
            approve_order(order_id=order.pk, by=people["anton"], at=sent_at)
        send_order(order_id=order.pk, by=people["bruno"], at=sent_at)


def _record_events(seed: int, assortment: Assortment, history: History) -> None:
    """Views and carts around the purchases of the last weeks, and views that came to nothing."""
    rng = np.random.default_rng([seed, 7])
    lines = history.lines
    first = len(history.days) - EVENT_DAYS
    chosen = np.flatnonzero(lines["day"] >= first)
    by_day: dict[int, list[dict[str, Any]]] = defaultdict(list)
    like = {t: np.flatnonzero(assortment.taste == t) for t in set(assortment.taste.tolist())}
    for number in chosen.tolist():
        if rng.random() < 0.5:  # not every purchase leaves a trace in the shop window
            continue
        day, product = int(lines["day"][number]), int(lines["product"][number])
        seen = [product]
        while rng.random() < 0.45:
            neighbours = like[int(assortment.taste[product])]
            seen.append(int(neighbours[rng.integers(len(neighbours))]))
        moment = datetime.combine(history.days[day], time(), tzinfo=UTC) + timedelta(
            seconds=int(lines["second"][number])
        )
        customer = f"C{int(lines['customer'][number]):05d}"
        steps = [("view", item) for item in seen] + [("add_to_cart", product)]
        for step, (kind, item) in enumerate(steps):
            by_day[day].append(
                {
                    "event_id": f"demo-{number}-{step}",
                    "type": kind,
                    "visitor_id": f"v-{customer}",
                    "user_id": customer,
                    "session_id": f"s-{customer}-{day}",
                    "consent": True,
                    "occurred_at": (
                        moment - timedelta(seconds=40 * (len(steps) - step))
                    ).isoformat(),
                    "items": [{"product_id": assortment.sku[item], "quantity": 1}],
                }
            )
    for day, events in sorted(by_day.items()):
        evening = datetime.combine(history.days[day] + timedelta(days=1), time(), tzinfo=UTC)
        for start in range(0, len(events), EVENT_BATCH):
            results = record_events(
                source="demo", events=events[start : start + EVENT_BATCH], at=evening
            )
            refused = next((result for result in results if result.status == "rejected"), None)
            if refused is not None:
                raise ValidationError(str(refused.errors), code="event_rejected")
