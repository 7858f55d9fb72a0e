"""Groups with their permissions, first approval limits, reason codes."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from config.roles import setup_roles


class Command(BaseCommand):
    help = "Write the roles: groups with permissions, first approval limits, reason codes."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--currency", action="append", default=None,
            help="make first limits in this currency (repeatable; default: those of the catalog)",
        )  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        counts = setup_roles(currencies=options["currency"])
        for name, count in counts.items():
            self.stdout.write(f"{name:14} {count:3} permissions")
