"""A challenger replaces a champion only when it is cheaper beyond doubt on the same demand paths."""

import math
from dataclasses import dataclass

from .evaluation import Orders
from .policy import Policy
from .problem import ReplenishmentProblem
from .simulation import Paths, block_means, play, remembering, sample_paths

ONE_SIDED_95 = 1.645
BLOCK = 50
# enough to tell a gain of about 1 % of the cost from chance on most products; 16 paths told it on a sixth of them
PATHS = 256
PERIODS = 300


@dataclass(frozen=True)
class Verdict:
    """Average costs per period, fill rates, the paired difference (challenger - champion) and its 95 % bound."""

    ships: bool
    reason: str
    champion_cost: float
    challenger_cost: float
    difference: float
    upper_bound: float
    champion_fill_rate: float
    challenger_fill_rate: float


def compare_policies(
    problem: ReplenishmentProblem,
    champion: Policy,
    challenger: Policy,
    *,
    seed: int = 0,
    paths: Paths | None = None,
    fill_rate_slack: float = 0.005,
    warm_up: int | None = None,
) -> Verdict:
    """Decide whether `challenger` ships: its upper 95 % bound of the paired cost difference is below 0 and its
    fill rate is at most `fill_rate_slack` below the champion's.

    paths: demand to replay, history with its phases for example; by default random paths of the problem, drawn
    with a seed of their own so that no policy was tuned on them. Runs compiled code: for workers.
    """
    replay = paths or sample_paths(problem, PATHS, PERIODS, seed + 1_000_003)
    start = max(int(problem.mean_demand * (problem.fixed_lead_time + problem.review_period)), 1)
    skip = min(4 * (problem.fixed_lead_time + problem.review_period), replay.demand.shape[1] // 3)
    skip = skip if warm_up is None else warm_up
    orders = {"champion": compiled_orders(champion), "challenger": compiled_orders(challenger)}
    orders = {name: remembering(choose) for name, choose in orders.items()}
    played = play(problem, orders, replay, initial_stock=start)
    old, new = played["champion"], played["challenger"]
    gaps = block_means((new.cost - old.cost)[:, skip:], BLOCK)
    spread = gaps.std(ddof=1) / math.sqrt(gaps.size) if gaps.size > 1 else math.inf
    bound = float(gaps.mean() + ONE_SIDED_95 * spread)
    fill_old = old.fill_rate(replay.demand, skip)
    fill_new = new.fill_rate(replay.demand, skip)
    reason = "cheaper"
    if not bound < 0:
        reason = "not cheaper beyond doubt"
    elif fill_new < fill_old - fill_rate_slack:
        reason = "lower fill rate"
    return Verdict(
        ships=reason == "cheaper",
        reason=reason,
        champion_cost=float(old.cost[:, skip:].mean()),
        challenger_cost=float(new.cost[:, skip:].mean()),
        difference=float(gaps.mean()),
        upper_bound=bound,
        champion_fill_rate=fill_old,
        challenger_fill_rate=fill_new,
    )


def compiled_orders(policy: Policy) -> Orders:
    """Return the fastest form of `policy.order_quantities`."""
    if policy.method != "q_learning":
        return policy.order_quantities
    from .q_learning import batch_orders

    return batch_orders(policy)  # type: ignore[arg-type]
