"""``manage.py train demand|policy|recommender``: one training now."""

from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from catalog.models import Run
from catalog.services.runs import enqueue_run
from catalog.tasks import deliver, run_inline
from forecasting.services.forecasts import default_cutoff

KINDS = {"demand": "demand.train", "policy": "policy.train", "recommender": "recommend.train"}


class Command(BaseCommand):
    help = "Trains one kind of model and says whether it serves, and why."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("purpose", choices=sorted(KINDS))
        parser.add_argument("--cutoff", type=date.fromisoformat, help="last known day (YYYY-MM-DD)")
        parser.add_argument("--engine", help="lstm or plain_lstm (demand)")
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--steps", type=int, help="training steps, for reproducible models")
        parser.add_argument("--budget-s", type=float, help="seconds for each training, at most")
        parser.add_argument(
            "--queue", choices=Run.Queue.values, help="leave the work to the workers of this queue"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        at = timezone.now()
        try:
            cutoff = options["cutoff"] or default_cutoff(at=at)
        except ValidationError as error:
            raise CommandError("\n".join(error.messages)) from error
        names = ("engine", "seed", "steps", "budget_s")
        given = {name: options[name] for name in names if options[name] is not None}
        run = enqueue_run(
            kind=KINDS[options["purpose"]],
            at=at,
            parameters={"cutoff": cutoff.isoformat(), **given},
            queue=options["queue"],
        )
        if options["queue"]:
            deliver(run)
            self.stdout.write(f"Queued: {run.kind} #{run.pk}")
            return
        run = run_inline(run)
        if run.state != Run.State.SUCCEEDED:
            raise CommandError(run.error)
        for name, value in run.result.items():
            self.stdout.write(f"{name}: {value}")
