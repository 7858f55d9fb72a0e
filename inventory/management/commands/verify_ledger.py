"""Check that every balance is what the ledger adds up to."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from inventory.models import StockMovement
from inventory.services.verification import verify_ledger


class Command(BaseCommand):
    help = "Recompute all balances from the ledger; name each wrong row and exit with 1 if there is one."

    def handle(self, *args: Any, **options: Any) -> None:
        count = StockMovement.objects.count()
        with tqdm(total=count, unit="row", disable=None) as bar:
            problems = verify_ledger(progress=bar.update)
        for problem in problems:
            self.stdout.write(f"{problem.row}: {problem.message} [{problem.code}]")
        if problems:
            raise CommandError(f"{len(problems)} wrong of {count} ledger rows and their balances.")
        self.stdout.write(f"{count} ledger rows add up to the balances.")
