"""Methods by name. The modules that train are imported when a method is called, so serving stays light."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from numpy.typing import NDArray

from .policy import Policy
from .problem import ReplenishmentProblem

Progress = Callable[[float], None]

LEARNERS = {
    "newsvendor": "forecasting.engine.replenishment.classical:textbook_newsvendor",
    "base_stock": "forecasting.engine.replenishment.classical:tune_base_stock",
    "capped_base_stock": "forecasting.engine.replenishment.classical:tune_capped_base_stock",
    "s_S": "forecasting.engine.replenishment.classical:tune_reorder_point",
    "q_learning": "forecasting.engine.replenishment.q_learning:learn_q",
}
POLICIES = {
    "newsvendor": "forecasting.engine.replenishment.levels:NewsvendorPolicy",
    "base_stock": "forecasting.engine.replenishment.levels:BaseStockPolicy",
    "capped_base_stock": "forecasting.engine.replenishment.levels:CappedBaseStockPolicy",
    "s_S": "forecasting.engine.replenishment.levels:ReorderPointPolicy",
    "q_learning": "forecasting.engine.replenishment.values:QLearningPolicy",
}


def available_methods() -> tuple[str, ...]:
    """Return the names that `learn_policy` knows."""
    return tuple(LEARNERS)


def learn_policy(
    problem: ReplenishmentProblem,
    method: str = "q_learning",
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> Policy:
    """Learn a policy. Same problem, method and seed give the same policy.

    progress: called with the share done, 0 to 1. Raises ValueError for an unknown method.
    """
    policy: Policy = _resolve(LEARNERS, method)(problem, seed=seed, progress=progress)
    return policy


def policy_from_parts(
    method: str,
    problem: ReplenishmentProblem,
    arrays: dict[str, NDArray[Any]],
    document: dict[str, Any],
) -> Policy:
    """Rebuild a stored policy. Raises ValueError for an unknown method."""
    policy: Policy = _resolve(POLICIES, method).from_arrays(problem, arrays, document)
    return policy


def _resolve(names: dict[str, str], method: str) -> Any:
    if method not in names:
        raise ValueError(f"Expected method one of {', '.join(names)}, received: {method!r}")
    module, _, attribute = names[method].partition(":")
    return getattr(import_module(module), attribute)
