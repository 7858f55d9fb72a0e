"""Classical policies: order up to a level, up to a level with a cap, and (s, S)."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .policy import Policy, serve_window
from .problem import FloatArray, IntArray, ReplenishmentProblem


@dataclass(frozen=True, eq=False)
class LevelPolicy(Policy):
    """When the inventory position is at most `reorder_points`, order up to `order_up_to_levels`, at most `cap`.

    Both arrays hold one level per phase. The gap is rounded up to an admissible quantity, so with
    S = s + 1 and a pack this is the (s, nQ) rule.
    """

    problem: ReplenishmentProblem
    order_up_to_levels: IntArray
    reorder_points: IntArray
    cap: int | None = None
    method: ClassVar[str] = "base_stock"

    def __post_init__(self) -> None:
        for name in ("order_up_to_levels", "reorder_points"):
            levels = np.array(getattr(self, name), dtype=np.int64).reshape(-1)
            if len(levels) != self.problem.phases:
                raise ValueError(
                    f"Expected {name} of length {self.problem.phases}, received: {len(levels)}"
                )
            levels.setflags(write=False)
            object.__setattr__(self, name, levels)
        if np.any(self.reorder_points >= self.order_up_to_levels):
            raise ValueError(
                "Expected reorder_points below order_up_to_levels, received: a level not above"
            )

    def order_quantity(self, on_hand: float, pipeline: ArrayLike, phase: int = 0) -> int:
        stock, orders, phase = self.problem.checked_state(on_hand, pipeline, phase)
        position = stock + float(orders.sum())
        if not self.problem.may_order(phase) or position > self.reorder_points[phase] + 1e-9:
            return 0
        gap = float(self.order_up_to_levels[phase]) - position
        return self.problem.round_up(gap if self.cap is None else min(gap, self.cap))

    def order_quantities(
        self, on_hand: ArrayLike, pipelines: ArrayLike, phase: int = 0
    ) -> IntArray:
        stocks = np.asarray(on_hand, dtype=np.float64)
        if not self.problem.may_order(phase):
            return np.zeros(len(stocks), dtype=np.int64)
        position = stocks + np.asarray(pipelines, dtype=np.float64).reshape(len(stocks), -1).sum(
            axis=1
        )
        gap = float(self.order_up_to_levels[phase]) - position
        if self.cap is not None:
            gap = np.minimum(gap, self.cap)
        gap[position > self.reorder_points[phase] + 1e-9] = 0
        packs = np.ceil(gap / self.problem.pack_size - 1e-9).astype(np.int64)
        quantity = np.maximum(packs * self.problem.pack_size, self.problem.smallest_order)
        if self.problem.largest_order is not None:
            quantity = np.minimum(quantity, self.problem.largest_order)
        return np.where(gap > 1e-9, quantity, 0)

    def quantity_costs(
        self, on_hand: float, pipeline: ArrayLike, phase: int, quantities: IntArray
    ) -> FloatArray:
        """Return the expected cost of the periods the order serves; a classical rule looks no further."""
        window, _ = serve_window(self.tables, on_hand, pipeline, phase, quantities)
        return window.cost + self.problem.fixed_cost * (quantities > 0)

    def to_arrays(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        arrays = {
            "order_up_to_levels": self.order_up_to_levels,
            "reorder_points": self.reorder_points,
        }
        return arrays, {"cap": self.cap}

    @classmethod
    def from_arrays(
        cls,
        problem: ReplenishmentProblem,
        arrays: dict[str, NDArray[Any]],
        document: dict[str, Any],
    ) -> "LevelPolicy":
        return cls(problem, arrays["order_up_to_levels"], arrays["reorder_points"], document["cap"])


class BaseStockPolicy(LevelPolicy):
    """Order up to S whenever the position is below it; optimal with backorders and no fixed cost."""

    method: ClassVar[str] = "base_stock"


class NewsvendorPolicy(LevelPolicy):
    """Order up to the critical fractile p / (p + h) of demand over L + R: the textbook rule."""

    method: ClassVar[str] = "newsvendor"


class CappedBaseStockPolicy(LevelPolicy):
    """Order up to S, at most `cap` at a time (Xin, Operations Research 2021)."""

    method: ClassVar[str] = "capped_base_stock"


class ReorderPointPolicy(LevelPolicy):
    """(s, S): order up to S when the position is at most s; optimal with backorders and a fixed cost."""

    method: ClassVar[str] = "s_S"
