"""``manage.py backtest``: demand models side by side on rolling origins of the shop's own sales."""

import json
from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from catalog.models import Run
from catalog.services.runs import enqueue_run
from catalog.tasks import run_inline
from forecasting.services.forecasts import default_cutoff

COLUMNS = ("wape", "bias", "rmsse", "scaled_pinball", "wql")


class Command(BaseCommand):
    help = "Compares the network with the simple models on the last weeks and prints a table."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--cutoff", type=date.fromisoformat, help="last known day (YYYY-MM-DD)")
        parser.add_argument("--engine", default="lstm")
        parser.add_argument(
            "--others", nargs="*", default=[], help="further models of the registry"
        )
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--steps", type=int)
        parser.add_argument("--budget-s", type=float)
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        at = timezone.now()
        try:
            cutoff = options["cutoff"] or default_cutoff(at=at)
        except ValidationError as error:
            raise CommandError("\n".join(error.messages)) from error
        names = ("engine", "others", "seed", "steps", "budget_s")
        given = {name: options[name] for name in names if options[name] is not None}
        run = run_inline(
            enqueue_run(
                kind="demand.backtest",
                at=at,
                parameters={"cutoff": cutoff.isoformat(), **given},
            )
        )
        if run.state != Run.State.SUCCEEDED:
            raise CommandError(run.error)
        if options["json"]:
            self.stdout.write(json.dumps(run.result, indent=1))
            return
        self.stdout.write(f"{'model':<16}" + "".join(f"{name:>16}" for name in COLUMNS))
        for name, measures in run.result["results"].items():
            cells = (
                "–" if measures[column] is None else f"{measures[column]:.4f}" for column in COLUMNS
            )
            self.stdout.write(f"{name:<16}" + "".join(f"{cell:>16}" for cell in cells))
        self.stdout.write(run.result["decision"])
