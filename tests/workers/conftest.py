"""Real worker processes for a test, on each broker."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.contrib.auth.models import Group
from django.db import connections
from django.utils import timezone

from catalog import runs as registry
from catalog.models import Run
from catalog.services import runs

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60


class Workers:
    """A launcher with its children, on the test's database and a broker of its own."""

    def __init__(self, broker, var):
        names = {alias: str(connections[alias].settings_dict["NAME"]) for alias in connections}
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.worker_settings",
            "TEST_WORKER_DATABASES": json.dumps(names),
            "GRANARY_VAR": str(var),
            "CELERY_BROKER_URL": broker,
        }
        self.var = var
        self.process = None

    def start(self, *arguments):
        command = [sys.executable, "manage.py", "worker", "--queues", "default", "--grace", "5"]
        with (self.var / "worker.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, *arguments], cwd=ROOT, env=self.environment, stdout=log, stderr=log
            )

    def manage(self, *arguments, timeout=120):
        command = [sys.executable, "manage.py", *arguments]
        subprocess.run(command, cwd=ROOT, env=self.environment, check=True, timeout=timeout)

    def processes(self):
        """Process ids of everything that works in this test's folder, the launcher included."""
        mark = f"GRANARY_VAR={self.var}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    state = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
                    environment = (entry / "environ").read_bytes().split(b"\0")
                except OSError:
                    continue  # it has ended meanwhile
                if mark in environment and state != "Z" and int(entry.name) != os.getpid():
                    found.append(int(entry.name))
        return found

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)

    def log(self):
        return (self.var / "worker.log").read_text(errors="replace")

    def wait_for(self, condition, seconds=START_SECONDS):
        """The first true value of `condition`; a test that waits in vain shows the workers' log."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = condition()
            if found:
                return found
            time.sleep(0.2)
        raise AssertionError(f"Waited {seconds} s in vain. The workers said:\n{self.log()[-4000:]}")

    def wait_for_state(self, run, state, seconds=START_SECONDS):
        return self.wait_for(lambda: Run.objects.filter(pk=run.pk, state=state).first(), seconds)

    def purge(self):
        """Lose every message."""
        import redis

        broker = self.environment["CELERY_BROKER_URL"]
        if broker.startswith("redis"):
            redis.Redis.from_url(broker).flushdb()
        else:
            for message in (self.var / "broker" / "queue").glob("*.msg"):
                message.unlink()


@pytest.fixture
def test_kinds(monkeypatch):
    """The kinds of tests.worker_app, known to this process too."""
    monkeypatch.setattr(registry, "_kinds", dict(registry._kinds))
    for name in ("fenced", "unfenced", "quick"):
        registry.register_run_kind(
            f"test.{name}", executor=f"tests.worker_app.executors.{name}", label=name
        )


@pytest.fixture(
    params=[
        "filesystem://",
        pytest.param(
            os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/9"), marks=pytest.mark.redis
        ),
    ],
    ids=["filesystem", "redis"],
)
def workers(request, tmp_path, transactional_db, test_kinds):
    workers = Workers(request.param, tmp_path)
    (tmp_path / "worker.log").touch()
    # Schedules count as done, so that only the test's runs are worked off.
    at = timezone.now()
    for schedule in registry.schedules():
        Run.objects.create(
            kind=schedule.kind, state="cancelled", due_key=schedule.due_key(schedule.last_due(at)),
            created_at=at, due_at=at,
        )  # fmt: skip
    if request.param.startswith("redis"):
        workers.purge()
    yield workers
    workers.stop()


@pytest.fixture
def queue():
    def queue(kind):
        return runs.enqueue_run(kind=kind, at=timezone.now())

    return queue


@pytest.fixture
def effects():
    def count(run):
        return Group.objects.filter(name__startswith=f"run-{run.pk}-").count()

    return count
