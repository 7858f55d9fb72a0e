"""How a wished quantity becomes one that a supplier delivers, at which unit cost, and which rule decided.

One place for every quantity that is ordered: proposals of a plan, overrides, lines by hand and edits.
Quantities are stock units, costs money per unit. A pack is a multiple of whole stock units.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

MINIMUM, MULTIPLE, MAXIMUM = "min_order_quantity", "order_multiple", "max_order_quantity"
ROUNDINGS = ("up", "down", "nearest", "none")


@dataclass(frozen=True)
class PriceStep:
    """From ``min_quantity`` units on, every unit costs ``unit_cost``."""

    min_quantity: int
    unit_cost: Decimal


@dataclass(frozen=True)
class Terms:
    """What one supplier accepts for one product, and what it asks for it.

    Raises:
        ValueError: a minimum or multiple below 1, a maximum below the minimum, an unknown rounding.
    """

    min_order_quantity: int = 1
    order_multiple: int = 1
    max_order_quantity: int | None = None
    rounding: str = "up"
    unit_cost: Decimal = Decimal(0)
    price_steps: tuple[PriceStep, ...] = ()

    def __post_init__(self) -> None:
        if self.min_order_quantity < 1 or self.order_multiple < 1:
            raise ValueError("Expected a minimum and a multiple of at least 1.")
        if self.max_order_quantity is not None and self.max_order_quantity < 1:
            raise ValueError("Expected a maximum of at least 1.")
        if self.rounding not in ROUNDINGS:
            raise ValueError(f"Expected a rounding of {ROUNDINGS}, got {self.rounding!r}.")

    @property
    def multiple(self) -> int:
        """The multiple that quantities must have: 1 where the policy says not to round."""
        return 1 if self.rounding == "none" else self.order_multiple

    @property
    def least(self) -> int:
        """The smallest quantity that may be ordered."""
        return round_up(self.min_order_quantity, self.multiple)

    @property
    def most(self) -> int | None:
        """The largest quantity that may be ordered; ``None`` = no maximum, 0 = the terms allow nothing."""
        if self.max_order_quantity is None:
            return None
        largest = self.max_order_quantity // self.multiple * self.multiple
        return largest if largest >= self.least else 0

    def unit_cost_at(self, quantity: int) -> Decimal:
        """Return what one unit costs when ``quantity`` of them are ordered."""
        reached = [step for step in self.price_steps if step.min_quantity <= quantity]
        if not reached:
            return self.unit_cost
        return max(reached, key=lambda step: step.min_quantity).unit_cost

    def allows(self, quantity: int) -> bool:
        most = self.most
        return (
            quantity >= self.least
            and quantity % self.multiple == 0
            and (most is None or quantity <= most)
        )


@dataclass(frozen=True)
class Change:
    """What one rule added to the quantity (or took off it)."""

    rule: str
    units: int


@dataclass(frozen=True)
class NextBreak:
    """The next cheaper price: how many units more reach it.

    ``saves`` is what the whole new quantity costs less than at today's unit cost; ``pays`` what the order
    costs more in all (below zero: the larger order is the cheaper one).
    """

    quantity: int
    more: int
    unit_cost: Decimal
    saves: Decimal
    pays: Decimal


@dataclass(frozen=True)
class OrderQuantity:
    """The quantity to order; ``wished`` plus the changes add up to it exactly. 0 = nothing can be ordered."""

    wished: int
    quantity: int
    unit_cost: Decimal
    changes: tuple[Change, ...] = ()
    next_break: NextBreak | None = None

    @property
    def binding(self) -> str:
        """The rule that had the last word, or ``""``."""
        return self.changes[-1].rule if self.changes else ""

    @property
    def value(self) -> Decimal:
        return self.unit_cost * self.quantity


def order_quantity(wished: int, terms: Terms) -> OrderQuantity:
    """Return the quantity for a wish: lifted to the minimum, rounded by the policy, cut at the maximum.

    A wish of at least 1 never rounds to nothing: the smallest order is the minimum in whole multiples.
    Where minimum, multiple and maximum contradict each other, nothing can be ordered.
    """
    if wished <= 0:
        return OrderQuantity(wished=wished, quantity=0, unit_cost=terms.unit_cost)
    changes = []
    lifted = max(wished, terms.min_order_quantity)
    changes.append(Change(MINIMUM, lifted - wished))
    rounded = max(_rounded(lifted, terms), terms.least)
    changes.append(Change(MULTIPLE, rounded - lifted))
    most = terms.most
    quantity = rounded if most is None else min(rounded, most)
    changes.append(Change(MAXIMUM, quantity - rounded))
    return OrderQuantity(
        wished=wished,
        quantity=quantity,
        unit_cost=terms.unit_cost_at(quantity),
        changes=tuple(change for change in changes if change.units),
        next_break=next_break(quantity, terms) if quantity else None,
    )


def possible_quantities(quantity: int, terms: Terms) -> tuple[int, ...]:
    """Return the quantities next to a refused one that the supplier delivers, smaller first."""
    most = terms.most
    if most == 0:
        return ()
    below = quantity // terms.multiple * terms.multiple
    found = {max(below, terms.least), max(below + terms.multiple, terms.least)}
    if most is not None:
        found = {min(one, most) for one in found}
    return tuple(sorted(found))


def next_break(quantity: int, terms: Terms) -> NextBreak | None:
    """Return the nearest larger quantity with a lower unit cost that may be ordered, or ``None``."""
    now = terms.unit_cost_at(quantity)
    most = terms.most
    for step in sorted(terms.price_steps, key=lambda one: one.min_quantity):
        target = round_up(max(step.min_quantity, terms.least), terms.multiple)
        if target <= quantity or (most is not None and target > most):
            continue
        cost = terms.unit_cost_at(target)
        if cost < now:
            return NextBreak(
                quantity=target,
                more=target - quantity,
                unit_cost=cost,
                saves=(now - cost) * target,
                pays=cost * target - now * quantity,
            )
    return None


def total(quantities: Sequence[tuple[int, Decimal]]) -> Decimal:
    """Return the exact sum of quantity × unit cost."""
    return sum((unit_cost * quantity for quantity, unit_cost in quantities), Decimal(0))


def round_up(quantity: int, multiple: int) -> int:
    return -(-quantity // multiple) * multiple


def _rounded(quantity: int, terms: Terms) -> int:
    multiple = terms.multiple
    down = quantity // multiple * multiple
    if terms.rounding == "up":
        return round_up(quantity, multiple)
    if terms.rounding == "nearest":
        return down + multiple if (quantity - down) * 2 >= multiple else down
    return down  # "down", and "none" with its multiple of 1
