"""Close the ledger's newest range by a seal."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from inventory.services.seals import seal_ledger


class Command(BaseCommand):
    help = "Seal the movements since the last seal; keep the printed hash outside of this database."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            seal = seal_ledger(at=timezone.now())
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        if seal is None:
            self.stdout.write("Nothing new since the last seal.")
        else:
            self.stdout.write(
                f"Sealed {seal.rows} movements, {seal.first_id} to {seal.last_id}: {seal.sha256}"
            )
