"""Check that everything that follows from the ledger is what the ledger says."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from inventory.models import LedgerSeal, StockMovement
from inventory.services.verification import verify_ledger


class Command(BaseCommand):
    help = (
        "Recompute balances, reservations, lots, reversals and seals from the ledger; name each wrong row "
        "and exit with 1 if there is one."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        count = StockMovement.objects.count()
        sealed = sum(LedgerSeal.objects.values_list("rows", flat=True))
        with tqdm(total=count + sealed, unit="row", disable=None) as bar:
            problems = verify_ledger(progress=bar.update)
        for problem in problems:
            self.stdout.write(f"{problem.row}: {problem.message} [{problem.code}]")
        if problems:
            raise CommandError(f"{len(problems)} wrong among {count} ledger rows and what follows.")
        self.stdout.write(f"{count} ledger rows add up to the balances.")
