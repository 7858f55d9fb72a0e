"""What planning knows about each product in each warehouse besides its demand: conditions, stock, prices."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from catalog.models import PlanningDefaults, Price, Product, Supplier, SupplierProduct
from catalog.selectors.calendar import expected_arrival, next_order_day
from catalog.selectors.lead_times import LeadTime, planned_lead_time
from catalog.selectors.prices import prices_at
from catalog.selectors.suppliers import preferred_suppliers
from catalog.services.defaults import planning_defaults
from inventory.selectors.scope import Scope
from inventory.selectors.stock import StockPosition, stock_positions

DAYS_A_YEAR = 365


@dataclass(frozen=True)
class Costs:
    """Money per unit, as the order rules use it. The shortage cost follows from the target service level."""

    unit_cost: Decimal
    unit_margin: Decimal
    holding_cost_per_day: float
    shortage_cost: float
    order_line_cost: float


@dataclass(frozen=True)
class Conditions:
    """How the product can be bought next: from whom, when it can be ordered and when it would arrive."""

    supplier: Supplier
    supplier_product: SupplierProduct
    order_on: date
    arrives_on: date
    next_order_on: date

    def lead_days(self, today: date) -> int:
        """Days from today until an order of the next order day is there."""
        return (self.arrives_on - today).days

    @property
    def lead_time(self) -> LeadTime:
        """What was entered, or what receipts have taught."""
        return planned_lead_time(self.supplier_product)

    @property
    def review_days(self) -> int:
        return max((self.next_order_on - self.order_on).days, 1)


@dataclass(frozen=True)
class Facts:
    """Everything but demand about one product in one warehouse. `withheld_reason`: what is missing."""

    product: Product
    warehouse_id: int
    position: StockPosition
    conditions: Conditions | None
    costs: Costs | None
    withheld_reason: str = ""
    assumed: tuple[str, ...] = field(default=())


def planning_facts(
    *, keys: Iterable[tuple[int, int]], today: date, scope: Scope
) -> dict[tuple[int, int], Facts]:
    """Return the facts of the given (product id, warehouse id) pairs as they stand on `today`."""
    wanted = list(keys)
    product_ids = {product_id for product_id, _ in wanted}
    defaults = planning_defaults()
    products = {
        row.pk: row for row in Product.objects.select_related("category") if row.pk in product_ids
    }
    sources = preferred_suppliers(day=today)
    prices = prices_at(day=today)
    positions = {
        (p.product_id, p.warehouse_id): p for p in stock_positions(scope=scope, today=today)
    }
    conditions: dict[int, Conditions | None] = {}
    facts = {}
    for key in wanted:
        product = products[key[0]]
        source = sources.get(product.pk)
        if product.pk not in conditions:
            conditions[product.pk] = None if source is None else _conditions(source, today)
        facts[key] = Facts(
            product=product,
            warehouse_id=key[1],
            position=positions.get(key, StockPosition(*key)),
            conditions=conditions[product.pk],
            costs=_costs(product, source, conditions[product.pk], prices.get(product.pk), defaults),
            withheld_reason="" if source is not None else "no_supplier",
            assumed=_assumed(product, source),
        )
    return facts


def _conditions(source: SupplierProduct, today: date) -> Conditions:
    supplier = source.supplier
    order_on = next_order_day(supplier, today)
    step = supplier.review_period_days
    following = next_order_day(supplier, date.fromordinal(order_on.toordinal() + step))
    return Conditions(
        supplier=supplier,
        supplier_product=source,
        order_on=order_on,
        arrives_on=expected_arrival(supplier, order_on, planned_lead_time(source).days),
        next_order_on=following,
    )


def _costs(
    product: Product,
    source: SupplierProduct | None,
    conditions: Conditions | None,
    price: Price | None,
    defaults: PlanningDefaults,
) -> Costs | None:
    unit_cost = source.unit_cost if source is not None else product.unit_cost
    if unit_cost is None or not unit_cost:
        return None
    amount = product.list_price if price is None else price.amount
    margin = max((amount or unit_cost * 2) - unit_cost, Decimal("0.01"))
    holding = float(unit_cost) * defaults.holding_cost_percent_per_year / 100 / DAYS_A_YEAR
    review = conditions.review_days if conditions is not None else defaults.review_period_days
    level = defaults.target_cycle_service_level
    return Costs(
        unit_cost=unit_cost,
        unit_margin=margin,
        holding_cost_per_day=holding,
        # a unit left over is held for another review period: p / (p + h R) = target cycle service level
        shortage_cost=holding * review * level / (1 - level),
        order_line_cost=float(defaults.order_line_cost),
    )


def _assumed(product: Product, source: SupplierProduct | None) -> tuple[str, ...]:
    if source is None:
        return ()
    marks = {
        "lead_time": planned_lead_time(source).is_assumed,
        "unit_cost": source.cost_assumed,
        "supplier": source.supplier.is_assumed,
    }
    return tuple(name for name, is_assumed in marks.items() if is_assumed)
