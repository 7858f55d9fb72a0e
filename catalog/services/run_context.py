"""What an executor gets in its hand: parameters, progress, and the fence around its writes."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection, connections, transaction
from django.db.utils import Error as DatabaseError
from django.utils import timezone

from catalog.models import Run
from catalog.services import runs
from catalog.services.runs import LeaseLost

__all__ = ["LeaseLost", "RunCancelled", "RunContext"]

logger = logging.getLogger(__name__)
FLUSH_SECONDS = 1.0


class RunCancelled(Exception):
    """A person asked to cancel the run."""


class RunContext:
    """A claimed run in the hands of its executor.

    `parameters` is what the run was queued with, `at` the time of the claim: executors take it as their
    clock. A thread with its own database connection prolongs the lease every third of it and writes the
    latest progress, so that long work between two reports loses nothing.
    """

    def __init__(
        self,
        run: Run,
        *,
        clock: Callable[[], datetime] = timezone.now,
        on_progress: Callable[[float, str], None] | None = None,
    ) -> None:
        self.run = run
        self.parameters: dict[str, Any] = dict(run.parameters)
        self.at: datetime = run.started_at or clock()
        self.is_complete = False
        self._clock = clock
        self._on_progress = on_progress
        self._fraction, self._note = 0.0, ""
        self._is_dirty = False
        self._is_lost = False
        self._is_cancelled = False
        self._beat_at = time.monotonic()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def progress(self, fraction: float, note: str = "") -> None:
        """Say how far the work is (0 to 1). Cheap: call it as often as you like.

        Raises LeaseLost when another worker has taken the run over, RunCancelled when a person cancelled.
        """
        self._fraction, self._note, self._is_dirty = float(fraction), str(note), True
        if self._on_progress is not None:
            self._on_progress(self._fraction, self._note)
        if self._thread is None and time.monotonic() - self._beat_at >= FLUSH_SECONDS:
            self.beat()
        if self._is_lost:
            raise LeaseLost(f"Run {self.run.pk} is no longer leased to {self.run.owner}.")
        if self._is_cancelled:
            raise RunCancelled(f"Run {self.run.pk} was cancelled on request.")

    @contextmanager
    def fenced(self) -> Iterator[None]:
        """A transaction in which this run may write its effects; raises LeaseLost otherwise.

        The row of the run stays locked until commit: nobody can take the run over in between.
        """
        try:
            with transaction.atomic():
                runs.lock_owned_run(run=self.run, at=self._clock())
                yield
                if not self.is_complete:
                    # a long transaction held the heartbeat up: the sweeper must find a fresh lease
                    runs.heartbeat(run=self.run, at=self._clock())
        except BaseException:
            self.is_complete = False  # rolled back with the rest
            raise

    def complete(self, result: Mapping[str, Any] | None = None) -> None:
        """Inside `fenced`: end the run in the same transaction as its last effect, so both happen once."""
        if not connection.in_atomic_block:
            raise RuntimeError("RunContext.complete() belongs inside `with context.fenced():`.")
        runs.finish_run(run=self.run, result=result, at=self._clock())
        self.is_complete = True

    def beat(self) -> None:
        """Prolong the lease and write the latest progress now."""
        if self.is_complete:
            return
        dirty, self._is_dirty = self._is_dirty, False
        try:
            self._is_cancelled = runs.heartbeat(
                run=self.run,
                at=self._clock(),
                progress=self._fraction if dirty else None,
                note=self._note if dirty else None,
            )
        except LeaseLost:
            self._is_lost = True
        self._beat_at = time.monotonic()

    @contextmanager
    def kept_alive(self) -> Iterator[None]:
        """Keep the lease while the block runs."""
        # Inside a caller's transaction nobody else can see the run, and a second connection would wait
        # for the first one for ever: then progress() itself keeps the row up to date.
        if not connection.in_atomic_block:
            self._thread = threading.Thread(
                target=self._keep_beating, name=f"run-{self.run.pk}-heartbeat", daemon=True
            )
            self._thread.start()
        try:
            yield
        finally:
            self._stop.set()
            if self._thread is not None:
                self._thread.join()
                self._thread = None

    def _keep_beating(self) -> None:
        interval = settings.RUN_LEASE_SECONDS / 3
        try:
            while not self._stop.wait(min(FLUSH_SECONDS, interval)):
                if not self._is_dirty and time.monotonic() - self._beat_at < interval:
                    continue
                try:
                    self.beat()
                except DatabaseError as error:
                    # The lease outlives two missed beats; a worker that stays cut off is fenced off.
                    logger.warning("Heartbeat of run %s missed: %s", self.run.pk, error)
                    connection.close()
        finally:
            connections.close_all()
