"""``manage.py plan``: the nightly chain now, in this process or through the workers."""

from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from catalog.models import Run
from catalog.tasks import deliver, run_inline
from forecasting.services.planning import start_plan


class Command(BaseCommand):
    help = "Trains where it is due, forecasts, learns order policies and suggests orders."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--cutoff", type=date.fromisoformat, help="last known day (YYYY-MM-DD)")
        parser.add_argument("--train", action="store_true", default=None, help="train in any case")
        parser.add_argument("--no-train", dest="train", action="store_false", help="do not train")
        parser.add_argument("--budget-s", type=float, help="seconds for each training, at most")
        parser.add_argument("--steps", type=int, help="training steps, for reproducible models")
        parser.add_argument("--queue", action="store_true", help="leave the work to the workers")
        parser.add_argument("--quiet", action="store_true", help="without progress bars")

    def handle(self, *args: Any, **options: Any) -> None:
        given = {"budget_s": options["budget_s"], "steps": options["steps"]}
        try:
            runs = start_plan(
                at=timezone.now(),
                cutoff=options["cutoff"],
                train=options["train"],
                parameters={name: value for name, value in given.items() if value is not None},
            )
        except ValidationError as error:
            raise CommandError("\n".join(error.messages)) from error
        if options["queue"]:
            deliver(runs[0])
            self.stdout.write(f"Queued: {', '.join(f'{run.kind} #{run.pk}' for run in runs)}")
            return
        run_inline(runs[0], with_followers=True, quiet=options["quiet"])
        for run in runs:
            run.refresh_from_db()
            self.stdout.write(f"{run.kind}: {run.get_state_display()} {run.result or run.error}")
        failed = next((run for run in runs if run.state != Run.State.SUCCEEDED), None)
        if failed is not None:
            raise CommandError(f"{failed.kind} did not succeed.")
