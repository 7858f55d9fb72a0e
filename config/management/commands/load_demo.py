"""``manage.py load_demo``: the demo company, into an empty database."""

from argparse import ArgumentParser
from datetime import date, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from tqdm import tqdm

from config.demo.company import is_empty
from config.demo.loading import CUSTOMERS, DAYS, PRODUCTS, DemoSize, load_demo
from config.demo.people import DEMO_USERS

STEPS = 6
DEFAULT_SEED = 7


class Command(BaseCommand):
    help = "Loads a demo company: two warehouses, two years of sales. The same seed makes the same one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--seed", type=int, default=DEFAULT_SEED)
        parser.add_argument(
            "--until", type=date.fromisoformat, help="last day of sales (default: yesterday)"
        )
        parser.add_argument("--products", type=int, default=PRODUCTS)
        parser.add_argument("--customers", type=int, default=CUSTOMERS)
        parser.add_argument("--days", type=int, default=DAYS)

    def handle(self, *args: Any, **options: Any) -> None:
        if not is_empty():
            self.stdout.write("The database is not empty: nothing was loaded.")
            return
        at = timezone.now()
        until = options["until"] or at.date() - timedelta(days=1)
        size = DemoSize(options["products"], options["customers"], options["days"])
        try:
            with tqdm(total=STEPS, bar_format="{desc:32} {bar:30} {elapsed}") as bar:
                for step in load_demo(seed=options["seed"], until=until, at=at, size=size):
                    bar.set_description_str(step)
                    bar.update()
        except ValidationError as error:
            raise CommandError("\n".join(error.messages)) from error
        self.stdout.write(f"Demo company up to {until}. Logins: {', '.join(DEMO_USERS)}.")
