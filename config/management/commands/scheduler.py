"""`scheduler`: inserts scheduled runs, sweeps lost ones, delivers due ones."""

import logging
import os
import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.db import close_old_connections, connections
from django.db.utils import Error as DatabaseError
from django.utils import timezone

from catalog.services import workers
from catalog.tasks import tick
from config.orphans import die_with_parent
from config.startup import refuse_unprotected

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = (
        "Inserts what the schedules ask for, sweeps the runs of lost workers, delivers what is due."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="one round, then end")

    def handle(self, *args: Any, **options: Any) -> None:
        refuse_unprotected()
        if options["once"]:
            tick()
            return
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_args: stop.set())
        if os.environ.get("GRANARY_LAUNCHER") == str(os.getppid()):
            die_with_parent()
        name = workers.worker_name("scheduler")
        interval = min(5.0, settings.RUN_LEASE_SECONDS / 3)
        while not stop.is_set():
            try:
                tick()
                workers.note_worker(name=name, queue="scheduler", facts={}, at=timezone.now())
                close_old_connections()
            except DatabaseError as error:
                logger.warning("The round is skipped: %s", error)
                connections.close_all()
            stop.wait(interval)
        workers.forget_worker(name=name)
