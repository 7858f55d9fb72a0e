"""The replenishment problem of one SKU in one warehouse: demand, lead time, costs and what may be ordered.

Order of events in a period: see the on-hand stock (arrivals are in) and the pipeline; order `a`; when the lead
time L is 0, `a` joins the stock; demand D of the current phase; pay
``h (x - D)+ + p (D - x)+ + K [a > 0] + e (x - D - b)+``; `a` is usable at the start of period t + L.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MODELS = ("lost_sales", "backorder")
MASS_TOLERANCE = 1e-9


@dataclass(frozen=True, kw_only=True, eq=False)
class ReplenishmentProblem:
    """One stock point. Quantities are integers in the problem's own unit (a piece, or a quantum of pieces).

    demand: one pmf over 0..n per phase of a cycle, or per observed mode when `transition` is given.
    transition: row-stochastic matrix between modes; the mode of a period is seen before ordering.
    lead_time: periods until an order is usable, or a pmf over 0..n periods.
    review_period: an order may be placed only when ``phase % review_period == 0``; the cycle holds whole
    review periods.
    excess_cost: paid per unit of end-of-period stock above `excess_above` (a full warehouse, say).

    Raises ValueError ("Expected …, received: …") that names the field.
    """

    model: Literal["lost_sales", "backorder"]
    demand: tuple[FloatArray, ...]
    transition: FloatArray | None = None
    lead_time: int | FloatArray
    holding_cost: float
    shortage_cost: float
    fixed_cost: float = 0.0
    excess_cost: float = 0.0
    excess_above: float | None = None
    pack_size: int = 1
    min_order_quantity: int = 0
    max_order: int | None = None
    review_period: int = 1

    def __post_init__(self) -> None:
        if self.model not in MODELS:
            raise ValueError(f"Expected model one of {MODELS}, received: {self.model!r}")
        _set(self, "demand", _checked_demand(self.demand))
        _set(self, "transition", _checked_transition(self.transition, len(self.demand)))
        _set(self, "lead_time", _checked_lead_time(self.lead_time))
        for name in ("holding_cost", "shortage_cost"):
            _set(self, name, _checked_cost(name, getattr(self, name), positive=True))
        for name in ("fixed_cost", "excess_cost"):
            _set(self, name, _checked_cost(name, getattr(self, name), positive=False))
        _set(self, "pack_size", _checked_count("pack_size", self.pack_size, at_least=1))
        _set(
            self,
            "min_order_quantity",
            _checked_count("min_order_quantity", self.min_order_quantity, at_least=0),
        )
        _set(self, "review_period", _checked_count("review_period", self.review_period, at_least=1))
        self._check_excess()
        self._check_max_order()
        self._check_review_period()

    def _check_excess(self) -> None:
        if self.excess_cost > 0 and self.excess_above is None:
            raise ValueError("Expected excess_above with an excess_cost above 0, received: None")
        if self.excess_above is not None:
            _set(
                self,
                "excess_above",
                _checked_cost("excess_above", self.excess_above, positive=False),
            )

    def _check_max_order(self) -> None:
        if self.max_order is None:
            return
        _set(self, "max_order", _checked_count("max_order", self.max_order, at_least=1))
        if self.max_order < self.smallest_order:
            raise ValueError(
                f"Expected max_order of at least {self.smallest_order} (pack_size and min_order_quantity), "
                f"received: {self.max_order}"
            )

    def _check_review_period(self) -> None:
        if self.review_period > 1 and self.transition is not None:
            raise ValueError(
                f"Expected review_period 1 with observed modes, received: {self.review_period}"
            )
        if self.transition is None and len(self.demand) % self.review_period:
            raise ValueError(
                f"Expected a demand cycle of whole review periods ({self.review_period}), "
                f"received: {len(self.demand)} phases"
            )

    @property
    def phases(self) -> int:
        """Number of phases of the cycle, or of observed modes."""
        return len(self.demand)

    @property
    def fixed_lead_time(self) -> int:
        """The lead time in periods. Raises ValueError when it is random."""
        if isinstance(self.lead_time, int):
            return self.lead_time
        support = np.flatnonzero(self.lead_time)
        if len(support) == 1:
            return int(support[0])
        raise ValueError(
            "Expected a lead_time of one number of periods, "
            f"received: a distribution over {support[0]}..{support[-1]} periods"
        )

    @property
    def smallest_order(self) -> int:
        """The smallest quantity above 0 that may be ordered."""
        return self.pack_size * max(1, math.ceil(self.min_order_quantity / self.pack_size))

    @property
    def largest_order(self) -> int | None:
        """The largest quantity that may be ordered, a whole number of packs; None without a limit."""
        return None if self.max_order is None else self.max_order // self.pack_size * self.pack_size

    @property
    def mean_demand(self) -> float:
        """Mean demand per period over the cycle, or in the stationary distribution of the modes."""
        means = np.array([float(np.arange(len(pmf)) @ pmf) for pmf in self.demand])
        return float(means @ self.phase_weights())

    def phase_weights(self) -> FloatArray:
        """Long-run share of periods in each phase or mode."""
        if self.transition is None:
            return np.full(self.phases, 1 / self.phases)
        size = self.phases
        system = np.vstack([self.transition.T - np.eye(size), np.ones(size)])
        solution = np.linalg.lstsq(system, np.append(np.zeros(size), 1.0), rcond=None)[0]
        return np.asarray(np.clip(solution, 0, None) / np.clip(solution, 0, None).sum())

    def may_order(self, phase: int) -> bool:
        """Tell whether an order may be placed in this phase."""
        return self.transition is not None or phase % self.review_period == 0

    def round_up(self, quantity: float) -> int:
        """Return the smallest admissible order that covers `quantity`, or the largest that exists."""
        if quantity <= 1e-9:
            return 0
        packs = math.ceil(quantity / self.pack_size - 1e-9)
        admissible = max(packs * self.pack_size, self.smallest_order)
        return admissible if self.largest_order is None else min(admissible, self.largest_order)

    def admissible_quantities(self, cap: float) -> IntArray:
        """Return 0 and every multiple of the pack from the MOQ up to the order that covers `cap`, ascending."""
        last = max(self.round_up(cap), self.smallest_order)
        orders = np.arange(self.smallest_order, last + 1, self.pack_size, dtype=np.int64)
        return np.concatenate([np.zeros(1, dtype=np.int64), orders])

    def checked_state(
        self, on_hand: float, pipeline: ArrayLike, phase: int
    ) -> tuple[float, FloatArray, int]:
        """Return the state as numbers. Raises ValueError naming what is wrong with it."""
        stock = float(on_hand)
        if not math.isfinite(stock) or (stock < 0 and self.model == "lost_sales"):
            raise ValueError(f"Expected on_hand of at least 0, received: {on_hand}")
        orders = np.asarray(pipeline, dtype=np.float64).reshape(-1)
        expected = max(self.fixed_lead_time - 1, 0)
        if len(orders) != expected:
            raise ValueError(
                f"Expected pipeline of length {expected}, received: length {len(orders)}"
            )
        if not np.all(np.isfinite(orders)) or np.any(orders < 0):
            raise ValueError(
                f"Expected pipeline of quantities of at least 0, received: {orders.tolist()}"
            )
        if not 0 <= int(phase) < self.phases:
            raise ValueError(f"Expected phase in 0..{self.phases - 1}, received: {phase}")
        return stock, orders, int(phase)

    def to_arrays(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return the problem as named arrays and a JSON value; `from_arrays` reads them back."""
        arrays: dict[str, NDArray[Any]] = {f"demand_{i}": pmf for i, pmf in enumerate(self.demand)}
        document: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                arrays[field.name] = value
            elif field.name != "demand":
                document[field.name] = value
        document["phases"] = self.phases
        return arrays, document

    @classmethod
    def from_arrays(
        cls, arrays: dict[str, NDArray[Any]], document: dict[str, Any]
    ) -> "ReplenishmentProblem":
        """Rebuild a problem from what `to_arrays` returned."""
        values = {name: value for name, value in document.items() if name != "phases"}
        values["demand"] = tuple(arrays[f"demand_{i}"] for i in range(document["phases"]))
        for name in ("transition", "lead_time"):
            if name in arrays:
                values[name] = arrays[name]
        return cls(**values)

    def fingerprint(self) -> str:
        """Return a sha256 that is equal for equal problems: the key under which a policy can be reused."""
        arrays, document = self.to_arrays()
        digest = hashlib.sha256(repr(sorted(document.items())).encode())
        for name in sorted(arrays):
            digest.update(name.encode() + np.ascontiguousarray(arrays[name]).tobytes())
        return digest.hexdigest()


def checked_pmf(pmf: ArrayLike, name: str) -> FloatArray:
    """Return a read-only pmf over 0..n that sums to exactly what floats allow. Raises ValueError naming it."""
    mass = np.array(pmf, dtype=np.float64)
    if mass.ndim != 1 or mass.size == 0:
        raise ValueError(f"Expected {name} as a 1-D array over 0..n, received: shape {mass.shape}")
    if not np.all(np.isfinite(mass)) or np.any(mass < 0):
        raise ValueError(
            f"Expected {name} with finite probabilities of at least 0, received: {mass.min()}"
        )
    if abs(mass.sum() - 1) > MASS_TOLERANCE:
        raise ValueError(f"Expected {name} with sum 1, received: {mass.sum()}")
    mass = np.asarray(mass[: np.flatnonzero(mass)[-1] + 1])
    mass /= mass.sum()
    mass.setflags(write=False)
    return mass


def _set(problem: ReplenishmentProblem, name: str, value: object) -> None:
    object.__setattr__(problem, name, value)


def _checked_demand(demand: Sequence[ArrayLike]) -> tuple[FloatArray, ...]:
    if isinstance(demand, np.ndarray) and demand.ndim == 1:
        raise ValueError("Expected demand as a tuple of pmfs, received: one array")
    if len(demand) == 0:
        raise ValueError("Expected demand with at least one pmf, received: none")
    pmfs = tuple(checked_pmf(pmf, f"demand[{i}]") for i, pmf in enumerate(demand))
    if all(len(pmf) == 1 for pmf in pmfs):
        raise ValueError("Expected demand above 0 in some phase, received: demand that is always 0")
    return pmfs


def _checked_transition(transition: ArrayLike | None, modes: int) -> FloatArray | None:
    if transition is None:
        return None
    matrix = np.array(transition, dtype=np.float64)
    if matrix.shape != (modes, modes):
        raise ValueError(f"Expected transition of shape {(modes, modes)}, received: {matrix.shape}")
    if np.any(matrix < 0) or not np.allclose(matrix.sum(axis=1), 1, rtol=0, atol=MASS_TOLERANCE):
        raise ValueError(
            f"Expected transition rows with sum 1, received: sums {matrix.sum(axis=1).tolist()}"
        )
    matrix.setflags(write=False)
    return matrix


def _checked_lead_time(lead_time: object) -> int | FloatArray:
    if isinstance(lead_time, (bool, np.bool_)):
        raise ValueError(f"Expected lead_time in periods, received: {lead_time!r}")
    if isinstance(lead_time, (int, np.integer)):
        return _checked_count("lead_time", lead_time, at_least=0)
    if isinstance(lead_time, (list, tuple, np.ndarray)) and np.ndim(lead_time) == 1:
        return checked_pmf(lead_time, "lead_time")
    raise ValueError(
        f"Expected lead_time as whole periods or a pmf over them, received: {lead_time!r}"
    )


def _checked_cost(name: str, value: float, *, positive: bool) -> float:
    number = float(value)
    if not math.isfinite(number) or number < 0 or (positive and number == 0):
        raise ValueError(
            f"Expected {name} {'above' if positive else 'of at least'} 0, received: {value}"
        )
    return number


def _checked_count(name: str, value: object, *, at_least: int) -> int:
    if (
        isinstance(value, (bool, np.bool_))
        or not isinstance(value, (int, np.integer))
        or value < at_least
    ):
        raise ValueError(
            f"Expected {name} as a whole number of at least {at_least}, received: {value!r}"
        )
    return int(value)
