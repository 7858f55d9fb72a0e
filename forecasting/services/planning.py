"""The nightly chain: forecast, policies, suggestions; training first where it is due."""

import uuid
from datetime import date, datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from catalog.models import Run
from catalog.services.run_context import RunContext
from catalog.services.runs import enqueue_run
from forecasting.models import Artifact
from forecasting.services.forecasts import default_cutoff
from inventory.models import AutoApprovalPolicy

RETRAIN_AFTER_DAYS = 7


def training_is_due(*, cutoff: date) -> bool:
    """Train where nothing was trained yet, or where the latest training ended a week or more before the cutoff."""
    tried = Artifact.objects.filter(purpose=Artifact.Purpose.DEMAND, data_to__isnull=False)
    latest = tried.order_by("-data_to").first()
    last = latest.data_to if latest is not None else None
    return last is None or cutoff - last >= timedelta(days=RETRAIN_AFTER_DAYS)


@transaction.atomic
def start_plan(
    *,
    at: datetime,
    cutoff: date | None = None,
    by: User | None = None,
    train: bool | None = None,
    parameters: dict[str, Any] | None = None,
) -> list[Run]:
    """Queue the chain for a cutoff and return its runs in order; the first one is due at once.

    `train`: True and False force it, None trains when it is due. `parameters` go to the training run.
    """
    cutoff = cutoff or default_cutoff(at=at)
    chain = uuid.uuid4()
    kinds = ["demand.forecast", "policy.train", "orders.suggest"]
    if AutoApprovalPolicy.objects.filter(is_active=True).exists():
        kinds.append("orders.auto_approve")
    if train or (train is None and training_is_due(cutoff=cutoff)):
        kinds.insert(0, "demand.train")
    runs: list[Run] = []
    for kind in kinds:
        given = parameters or {} if kind == "demand.train" else {}
        runs.append(
            enqueue_run(
                kind=kind,
                at=at,
                parameters={"cutoff": cutoff.isoformat(), **given},
                after=runs[-1] if runs else None,
                chain=chain,
                by=by,
            )
        )
    return runs


def execute_plan(context: RunContext) -> dict[str, Any]:
    """Run kind "plan": what the scheduler inserts every night. It queues the chain behind itself."""
    with context.fenced():
        runs = start_plan(at=context.at)
        Run.objects.filter(pk=runs[0].pk).update(after=context.run)
        result = {"chain": str(runs[0].chain), "runs": [run.pk for run in runs]}
        context.complete(result)
    return result
