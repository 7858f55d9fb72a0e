"""`create_api_key`: a key for a shop, printed once."""

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from catalog.services.api_keys import SCOPES, issue_key


class Command(BaseCommand):
    help = (
        "Issues an API key that acts as a user within scopes, and prints it: it is not shown again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="what the key is for, e.g. storefront")
        parser.add_argument("--user", required=True, help="user name the key acts as")
        parser.add_argument(
            "--scope", action="append", required=True, choices=sorted(SCOPES), help="repeatable"
        )
        parser.add_argument("--days", type=int, help="days until the key expires")

    def handle(self, *args: Any, **options: Any) -> None:
        at = timezone.now()
        days = options["days"]
        try:
            _key, secret = issue_key(
                name=options["name"],
                user=User.objects.get(username=options["user"]),
                scopes=options["scope"],
                at=at,
                expires_at=at + timedelta(days=days) if days else None,
            )
        except User.DoesNotExist:
            raise CommandError(f"There is no user {options['user']!r}.") from None
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        self.stdout.write(secret)
