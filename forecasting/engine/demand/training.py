"""The training loop of the networks: steps or seconds, warm-up and cosine, curve, progress, cancelling."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from forecasting.engine.demand.base import Progress
from forecasting.engine.demand.keras_runtime import EventWriter

WARM_UP_SHARE = 0.05
TIMED_STEPS = 8


@dataclass(frozen=True)
class LoopResult:
    """Steps done, why they ended, and rows of step, train loss, validation loss."""

    steps: int
    stopped_by: str
    curve: list[tuple[int, float, float | None]]


def train_steps(
    model: Any,
    *,
    next_batch: Callable[[], tuple[Any, Any]],
    validate: Callable[[], float | None],
    steps: int,
    learning_rate: float,
    budget_s: float | None = None,
    checks: int = 10,
    progress: Progress | None = None,
    events: EventWriter | None = None,
    note: str = "training",
) -> LoopResult:
    """Train for `steps` (or as many of them as fit into `budget_s`) on batches from `next_batch`.

    The first steps are timed; where the budget is too short, the whole schedule is shortened to fit, so the
    learning rate still reaches its end. The weights of the check with the least validation loss are kept.
    An exception from `progress` stops the training and is passed on.
    """
    started = time.perf_counter()
    curve: list[tuple[int, float, float | None]] = []
    stopped_by = "steps"
    window: list[float] = []
    step, clock = 0, started
    best_loss, best_weights = math.inf, None
    while step < steps:
        model.optimizer.learning_rate = learning_rate * _schedule(step, steps)
        x, y = next_batch()
        window.append(float(model.train_on_batch(x, y)))
        step += 1
        if step == 2:
            clock = time.perf_counter()
        if budget_s is not None and step == TIMED_STEPS:
            per_step = (time.perf_counter() - clock) / (TIMED_STEPS - 2)
            left = budget_s - (time.perf_counter() - started)
            fitting = step + max(int(0.93 * left / per_step), 1)
            if fitting < steps:
                steps, stopped_by = fitting, "time budget"
        if budget_s is not None and time.perf_counter() - started > budget_s:
            steps, stopped_by = step, "time budget"
        if step % max(steps // checks, 1) == 0 or step == steps:
            row = (step, sum(window) / len(window), validate())
            if row[2] is not None and row[2] < best_loss:
                best_loss, best_weights = row[2], model.get_weights()
            window = []
            curve.append(row)
            if events is not None:
                events.scalars(step, train_loss=row[1], validation_loss=row[2])
            if progress is not None:
                progress(step / steps, f"{note}: step {step} of {steps}, loss {row[1]:.4f}")
        elif progress is not None and step % 10 == 0:
            progress(step / steps, f"{note}: step {step} of {steps}")
    if best_weights is not None:
        model.set_weights(best_weights)
    return LoopResult(step, stopped_by, curve)


def _schedule(step: int, steps: int) -> float:
    warm = max(int(steps * WARM_UP_SHARE), 1)
    if step < warm:
        return (step + 1) / warm
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(steps - warm, 1)))
