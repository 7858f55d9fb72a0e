"""Two years of the demo company: demand, promotions, prices, stock that sometimes runs out, order lines."""

from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from config.demo.assortment import SUPPLIERS, TASTES, Assortment, Floats, season

WAREHOUSE_SHARE = (0.62, 0.38)
WEEKDAY = np.array([1.10, 1.00, 0.95, 0.95, 1.05, 1.20, 0.75])
ELASTICITY = -1.6
LINES_PER_UNIT = 0.75
ACTIVE_CUSTOMERS = 90

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Campaign:
    code: str
    category: str
    starts_on: date
    ends_on: date
    discount_percent: int


@dataclass(frozen=True)
class PriceChange:
    product: int
    day: date
    amount: float


@dataclass(frozen=True)
class OpenOrder:
    """An order of the demo company that is still on its way."""

    product: int
    warehouse: int
    ordered_on: date
    arrives_on: date
    quantity: int


@dataclass
class History:
    """What happened: arrays over (day, product, warehouse) and order lines as columns."""

    days: list[date]
    sold: Ints
    stocked_out: NDArray[np.bool_]
    on_hand: Ints
    campaigns: list[Campaign]
    price_changes: list[PriceChange]
    paid: Floats
    open_orders: list[OpenOrder]
    lines: dict[str, Ints] = field(default_factory=dict)


def make_history(
    assortment: Assortment, *, seed: int, until: date, days: int, customers: int
) -> History:
    """Return the history of `days` days up to `until`, inclusive. Same arguments, same history."""
    calendar = [until - timedelta(days=days - 1 - i) for i in range(days)]
    campaigns = _campaigns(seed, calendar, assortment)
    prices, changes = _prices(seed, calendar, assortment)
    discount = _discounts(calendar, campaigns, assortment)
    mean = _mean_demand(seed, calendar, assortment, prices, discount)
    history = _trade(seed, calendar, assortment, mean)
    history.campaigns, history.price_changes = campaigns, changes
    history.paid = prices * (1 - discount)
    history.lines = _order_lines(seed, history, assortment, customers)
    return history


def _campaigns(seed: int, calendar: list[date], assortment: Assortment) -> list[Campaign]:
    """About one campaign every three weeks, and one that is planned but has not begun."""
    rng = np.random.default_rng([seed, 2])
    categories = sorted(set(assortment.category))
    campaigns, day = [], calendar[0] + timedelta(days=20)
    while day < calendar[-1] - timedelta(days=21):
        category = categories[int(rng.integers(len(categories)))]
        length = int(rng.integers(7, 15))
        discount = int(rng.choice([15, 20, 25, 30]))
        campaigns.append(
            Campaign(
                f"{category}-{day:%y%m%d}",
                category,
                day,
                day + timedelta(days=length - 1),
                discount,
            )
        )
        day += timedelta(days=int(rng.integers(14, 29)))
    for offset, category in ((5, "CANDLES"), (12, "TOYS")):
        starts = calendar[-1] + timedelta(days=offset)
        campaigns.append(
            Campaign(
                f"{category}-{starts:%y%m%d}", category, starts, starts + timedelta(days=9), 20
            )
        )
    return campaigns


def _prices(
    seed: int, calendar: list[date], assortment: Assortment
) -> tuple[Floats, list[PriceChange]]:
    """Price (days, products): one to three list prices per product over the two years."""
    rng = np.random.default_rng([seed, 3])
    n_days, n = len(calendar), len(assortment.sku)
    prices = np.empty((n_days, n))
    changes = []
    for product in range(n):
        first = int(assortment.starts[product])
        steps = sorted({0, *rng.integers(60, n_days - 20, int(rng.integers(0, 3))).tolist()})
        amount = assortment.price[product] / 1.03 ** (len(steps) - 1)
        for position, step in enumerate(steps):
            if position:
                amount *= rng.choice([0.93, 1.03, 1.05, 1.08])
            amount = round(round(amount, 1) - 0.01, 2)
            prices[step:, product] = amount
            changes.append(PriceChange(product, calendar[max(step, first)], amount))
    return prices, changes


def _discounts(calendar: list[date], campaigns: list[Campaign], assortment: Assortment) -> Floats:
    discount = np.zeros((len(calendar), len(assortment.sku)))
    for campaign in campaigns:
        member = np.array([c == campaign.category for c in assortment.category])
        running = np.array([campaign.starts_on <= d <= campaign.ends_on for d in calendar])
        discount[np.ix_(running, member)] = campaign.discount_percent / 100
    return discount


def _mean_demand(
    seed: int, calendar: list[date], assortment: Assortment, prices: Floats, discount: Floats
) -> Floats:
    """Expected demand (days, products, warehouses)."""
    rng = np.random.default_rng([seed, 4])
    n_days, n = len(calendar), len(assortment.sku)
    weekday = WEEKDAY[[d.weekday() for d in calendar]]
    seasons = {c: season(c, calendar) for c in set(assortment.category)}
    yearly = np.stack([seasons[c] for c in assortment.category], axis=1)
    trend = np.exp(np.linspace(0, 1, n_days)[:, None] * rng.normal(0.15, 0.25, n))
    paid = prices * (1 - discount)
    response = (paid / assortment.price) ** ELASTICITY * np.where(discount > 0, 1.35, 1.0)
    day = np.arange(n_days)[:, None]
    ramp = np.clip((day - assortment.starts + 1) / 45, 0, 1) * (day >= assortment.starts)
    fade = np.clip((assortment.ends + 120 - day) / 120, 0, 1)
    total = assortment.level * weekday[:, None] * yearly * trend * response * ramp * fade
    share = np.array(WAREHOUSE_SHARE) * rng.lognormal(0, 0.15, (n, 2))
    return np.asarray(total[:, :, None] * share)


def _trade(seed: int, calendar: list[date], assortment: Assortment, mean: Floats) -> History:
    """Sell what is there, reorder weekly with a plain rule that sometimes comes too late."""
    rng = np.random.default_rng([seed, 5])
    n_days, n, warehouses = mean.shape
    facts = {code: (lead, sd, review) for code, _, lead, sd, review, _, _ in SUPPLIERS}
    lead, deviation, review = (
        np.array([facts[code][part] for code in assortment.supplier])[:, None] for part in range(3)
    )
    dispersion = np.where(assortment.is_intermittent, 0.6, 3.0)[None, :, None]
    rate = rng.gamma(dispersion, 1 / dispersion, mean.shape) * mean
    demand = rng.poisson(rate)
    recent = mean[:28].mean(axis=0)
    on_hand = np.ceil(recent * 30).astype(np.int64)
    arriving = np.zeros((n_days + 90, n, warehouses), dtype=np.int64)
    sold, stock = np.zeros_like(demand), np.zeros_like(demand)
    short = np.zeros(demand.shape, dtype=bool)
    placed: list[tuple[int, int, int, int, int]] = []
    multiple = assortment.order_multiple[:, None]
    for t in range(n_days):
        on_hand = on_hand + arriving[t]
        sold[t] = np.minimum(demand[t], on_hand)
        short[t] = (demand[t] > sold[t]) | ((on_hand == 0) & (mean[t] > 0))
        on_hand = on_hand - sold[t]
        stock[t] = on_hand
        recent = 0.96 * recent + 0.04 * sold[t]
        wanted = recent * (lead + review) * 1.15 + 1.2 * np.sqrt(recent * (lead + review))
        position = on_hand + arriving[t + 1 :].sum(axis=0)
        due = (t + np.arange(n)[:, None]) % review == 0
        missing = np.where(due & (position < wanted), wanted - position, 0)
        quantity = np.ceil(
            np.maximum(missing, (missing > 0) * assortment.min_order_quantity[:, None]) / multiple
        )
        quantity = (quantity * multiple).astype(np.int64)
        delay = np.clip(np.rint(rng.normal(lead, deviation, (n, warehouses))), 1, 80).astype(
            np.int64
        )
        for product, warehouse in np.argwhere(quantity > 0).tolist():
            arrives = t + int(delay[product, warehouse])
            arriving[arrives, product, warehouse] += quantity[product, warehouse]
            if arrives >= n_days:
                placed.append((product, warehouse, t, arrives, int(quantity[product, warehouse])))
    first = calendar[0]
    open_orders = [
        OpenOrder(p, w, first + timedelta(days=t), first + timedelta(days=a), q)
        for p, w, t, a, q in placed
    ]
    return History(calendar, sold, short, stock, [], [], np.empty(0), open_orders)


def _order_lines(
    seed: int, history: History, assortment: Assortment, customers: int
) -> dict[str, Ints]:
    """Split what was sold into order lines of customers whose tastes fit, a few lines to an order."""
    rng = np.random.default_rng([seed, 6])
    activity = rng.pareto(1.6, customers) + 0.2
    liking = rng.gamma(0.35, 1.0, (customers, TASTES)) + 0.02
    columns: dict[str, list[Ints]] = {
        name: [] for name in ("day", "product", "warehouse", "customer", "quantity", "second")
    }
    home = rng.random(customers) < WAREHOUSE_SHARE[0]
    for day in range(len(history.days)):
        for warehouse in range(2):
            units = history.sold[day, :, warehouse]
            product = np.flatnonzero(units)
            if not len(product):
                continue
            count = np.ceil(units[product] * LINES_PER_UNIT).astype(np.int64)
            lines = np.repeat(product, count)
            place = np.arange(len(lines)) - np.repeat(np.cumsum(count) - count, count)
            quantity = 1 + (place < np.repeat(units[product] - count, count))
            weight = activity * np.where(home == (warehouse == 0), 1.0, 0.1)
            active = rng.choice(customers, ACTIVE_CUSTOMERS, replace=False, p=weight / weight.sum())
            cumulated = np.cumsum(liking[active], axis=0)
            draw = rng.random(len(lines)) * cumulated[-1, assortment.taste[lines]]
            taste = assortment.taste[lines]
            chosen = (cumulated[:, taste] < draw).sum(axis=0)
            who = active[np.minimum(chosen, len(active) - 1)]
            visit = rng.integers(8 * 3600, 22 * 3600, customers)
            columns["day"].append(np.full(len(lines), day))
            columns["product"].append(lines)
            columns["warehouse"].append(np.full(len(lines), warehouse))
            columns["customer"].append(who)
            columns["quantity"].append(quantity)
            columns["second"].append(visit[who])
    return {name: np.concatenate(parts) for name, parts in columns.items()}
