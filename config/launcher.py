"""Keeps worker processes running: one Celery worker per queue and the scheduler."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import connections
from django.db.utils import Error as DatabaseError
from django.utils import timezone

from catalog.models import Run
from catalog.selectors.runs import worker_slots
from catalog.services import runs, workers

logger = logging.getLogger(__name__)
LONGEST_PAUSE_SECONDS = 30.0
CALM_AFTER_SECONDS = 60.0
NOTE_SECONDS = 10.0
LOOK_SECONDS = 0.5


@dataclass
class Child:
    """One supervised process. It is started again when it ends, after a pause that doubles each time."""

    name: str
    command: Sequence[str]
    queue: str = ""
    slots: int = 0
    process: "subprocess.Popen[bytes] | None" = None
    started_at: float = 0.0
    start_after: float = 0.0
    pause: float = 1.0
    unclaimed_since: dict[int, float] = field(default_factory=dict)

    def look_after(self) -> None:
        """Start the process when it is due; notice its end."""
        now = time.monotonic()
        if self.process is not None and self.process.poll() is not None:
            calm = now - self.started_at > CALM_AFTER_SECONDS
            self.pause = 1.0 if calm else min(self.pause * 2, LONGEST_PAUSE_SECONDS)
            logger.warning(
                "%s ended with status %s; starts again in %.0f s",
                self.name, self.process.returncode, self.pause,
            )  # fmt: skip
            self.process, self.start_after = None, now + self.pause
        if self.process is None and now >= self.start_after:
            # Its own session: Ctrl-C reaches the launcher alone, which then ends everybody in order.
            environment = {**os.environ, "GRANARY_LAUNCHER": str(os.getpid())}
            self.process = subprocess.Popen(self.command, env=environment, start_new_session=True)
            self.started_at = now
            logger.info("%s started, process %s", self.name, self.process.pid)

    def send(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    @property
    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None


class Launcher:
    """Runs until it gets SIGTERM or SIGINT, then lets running work end within `grace_seconds`."""

    def __init__(self, queues: Sequence[str], *, concurrency: int, grace_seconds: float) -> None:
        self.grace_seconds = grace_seconds
        self.gpus = workers.visible_gpus() if Run.Queue.GPU in queues else []
        self.idle_queues = [queue for queue in queues if queue == Run.Queue.GPU and not self.gpus]
        self.children = [
            celery_child(queue, concurrency) for queue in queues if queue not in self.idle_queues
        ]
        if Run.Queue.GPU not in queues:
            command = [sys.executable, "manage.py", "scheduler"]
            self.children.append(Child("scheduler", command))
        self._stop = threading.Event()

    def run(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_args: self._stop.set())
        for queue in self.idle_queues:
            logger.warning(
                "No graphics card is visible: nothing is taken from the queue %s.", queue
            )
        noted_at = -NOTE_SECONDS
        while not self._stop.is_set():
            for child in self.children:
                child.look_after()
            if time.monotonic() - noted_at >= NOTE_SECONDS:
                noted_at = time.monotonic()
                self._note_and_watch()
            self._stop.wait(LOOK_SECONDS)
        self._shut_down()

    def _note_and_watch(self) -> None:
        try:
            for child in self.children:
                if child.queue and child.is_alive:
                    self._note(child.queue, child.slots)
                    if has_stalled(child):
                        logger.error("%s takes no work any more; it is started again", child.name)
                        child.send(signal.SIGTERM)
            for queue in self.idle_queues:
                self._note(queue, 0)
        except DatabaseError as error:
            logger.warning("Signs of life could not be written: %s", error)
        finally:
            connections.close_all()

    def _note(self, queue: str, slots: int) -> None:
        facts: dict[str, Any] = {"slots": slots, "launcher": os.getpid(), "gpus": self.gpus}
        workers.note_worker(
            name=workers.worker_name(queue), queue=queue, facts=facts, at=timezone.now()
        )

    def _shut_down(self) -> None:
        logger.info("Ending; running work has %.0f s", self.grace_seconds)
        for child in self.children:
            child.send(signal.SIGTERM)
        deadline = time.monotonic() + self.grace_seconds
        while any(child.is_alive for child in self.children) and time.monotonic() < deadline:
            time.sleep(0.1)
        for child in self.children:
            child.send(signal.SIGKILL)  # its pool dies with it, its run is swept and done again
            if child.process is not None:
                child.process.wait()
        try:
            for queue in [child.queue for child in self.children if child.queue] + self.idle_queues:
                workers.forget_worker(name=workers.worker_name(queue))
        except DatabaseError as error:
            logger.warning("Signs of life could not be taken back: %s", error)


def celery_child(queue: str, concurrency: int) -> Child:
    """Training runs one at a time, each in a process of its own that gives its memory back."""
    trains = queue != Run.Queue.DEFAULT
    slots = 1 if trains else concurrency
    command = [sys.executable, "-m", "celery", "-A", "config", "worker", "-Q", queue]
    command += ["-c", str(slots), "-n", f"{queue}-{os.getpid()}@%h", "--loglevel", "INFO"]
    command += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    if trains:
        command += ["--max-tasks-per-child", "1"]
    return Child(f"worker {queue}", command, queue=queue, slots=slots)


def has_stalled(child: Child) -> bool:
    """Whether a due run stays unclaimed for settings.RUN_WATCHDOG_SECONDS although there is a free slot.

    A worker can lose its broker connection and neither end nor consume again.
    """
    now, at = time.monotonic(), timezone.now()
    running = Run.objects.filter(state=Run.State.RUNNING, queue=child.queue).count()
    waiting: list[int] = []
    if running < worker_slots(at=at).get(child.queue, 0):
        waiting = list(
            runs.claimable_runs(at=at).filter(queue=child.queue).values_list("pk", flat=True)[:100]
        )
    child.unclaimed_since = {pk: child.unclaimed_since.get(pk, now) for pk in waiting}
    patience = settings.RUN_WATCHDOG_SECONDS
    if now - child.started_at < patience or not child.unclaimed_since:
        return False
    return now - min(child.unclaimed_since.values()) > patience
