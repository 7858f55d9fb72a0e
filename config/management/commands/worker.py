"""`worker`: everything that works in the background, in one terminal."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from catalog.models import Run
from config.launcher import Launcher
from config.startup import refuse_unprotected


def queue_list(text: str) -> list[str]:
    queues = [queue.strip() for queue in text.split(",") if queue.strip()]
    unknown = set(queues) - set(Run.Queue.values)
    if unknown or not queues:
        raise argparse.ArgumentTypeError(f"choose from {', '.join(Run.Queue.values)}")
    return queues


class Command(BaseCommand):
    help = "Keeps the workers of the queues and the scheduler running until Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--queues", type=queue_list, default="default,training",
            help="comma-separated: default,training (the default) or gpu",
        )  # fmt: skip
        parser.add_argument(
            "--concurrency", type=int, default=2, help="processes of the default worker"
        )
        parser.add_argument(
            "--grace", type=float, default=20.0, metavar="SECONDS",
            help="time for running work to end after Ctrl-C; what does not is done again later",
        )  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        refuse_unprotected()
        launcher = Launcher(
            options["queues"], concurrency=options["concurrency"], grace_seconds=options["grace"]
        )
        launcher.run()
