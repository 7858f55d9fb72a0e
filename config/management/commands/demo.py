"""``manage.py demo``: a running Granary with a demo company and trained models, in one terminal."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from config.demo.people import DEMO_PASSWORD, DEMO_USERS
from inventory.models import Suggestion

Children = dict[str, "subprocess.Popen[bytes]"]
STOP_SECONDS = 20
READY_SECONDS = 60


class Command(BaseCommand):
    help = "Prepares the demo company, then serves it with web server and workers until Ctrl-C."
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--seed", type=int, default=None, help="another demo company")
        parser.add_argument("--prepare-only", action="store_true", help="load, train, plan, end")

    def handle(self, *args: Any, **options: Any) -> None:
        started = time.monotonic()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler)  # also where a shell ignores Ctrl-C
        if not options["prepare_only"]:
            _refuse_taken_port(options["host"], options["port"])
        try:
            self._prepare(seed=options["seed"])
        except KeyboardInterrupt as interrupt:
            raise CommandError("Stopped. The next start goes on with what is there.") from interrupt
        if options["prepare_only"]:
            self.stdout.write(f"Prepared after {time.monotonic() - started:.0f} s.")
            return
        address = f"http://{options['host']}:{options['port']}"
        environment = {**os.environ, "ALLOWED_HOSTS": self._allowed_hosts(options["host"])}
        gunicorn = [sys.executable, "-m", "gunicorn", "--config", "deploy/gunicorn.conf.py"]
        web = [*gunicorn, "--bind", f"{options['host']}:{options['port']}", "config.wsgi"]
        worker = [sys.executable, "manage.py", "worker"]
        with _children({"web": web, "worker": worker}, environment) as children:
            self._wait_until_ready(address, children)
            self._announce(address, seconds=time.monotonic() - started)
            self._watch(children)

    def _prepare(self, *, seed: int | None) -> None:
        """Each step in a process of its own, so that TensorFlow's memory goes back before we serve."""
        self._step("Database", "migrate", "--verbosity", "0")
        self._step("Static files", "collectstatic", "--noinput", "--verbosity", "0")
        self._step("Demo company", "load_demo", *([] if seed is None else ["--seed", str(seed)]))
        if Suggestion.objects.exists():
            self.stdout.write("Forecasts, policies and suggestions of the last start are kept.")
        else:
            self._step("Forecasts, policies, suggestions", "plan", "--budget-s", "60")
            self._step("Recommendations", "train", "recommender")

    def _step(self, title: str, *command: str) -> None:
        self.stdout.write(self.style.MIGRATE_HEADING(f"{title}: manage.py {' '.join(command)}"))
        self.stdout.flush()
        started = time.monotonic()
        code = subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=settings.BASE_DIR,
            env={"TF_CPP_MIN_LOG_LEVEL": "2", **os.environ},  # no notes on processors and cards
            check=False,
        ).returncode
        if code:
            raise CommandError(f"manage.py {command[0]} ended with status {code}.")
        self.stdout.write(f"  {time.monotonic() - started:.0f} s")

    @staticmethod
    def _allowed_hosts(host: str) -> str:
        hosts = [*settings.ALLOWED_HOSTS, *([host] if host not in settings.ALLOWED_HOSTS else [])]
        return ",".join("*" if name == "0.0.0.0" else name for name in hosts)  # noqa: S104

    @staticmethod
    def _wait_until_ready(address: str, children: Children) -> None:
        """Wait until pages, guards, workers and broker all say "ok": /ready tells each of them."""
        url = f"{address.replace('//0.0.0.0:', '//127.0.0.1:')}/ready"
        deadline = time.monotonic() + READY_SECONDS
        answer = "no answer"
        while time.monotonic() < deadline:
            _raise_if_ended(children)
            try:
                with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310 (our own server)
                    answer = response.read().decode()
                if json.loads(answer)["status"] == "ready":
                    return
            except OSError as error:
                answer = str(error)  # not listening yet, or 503: ask again
            time.sleep(0.5)
        raise CommandError(f"{url} was not ready within {READY_SECONDS} s: {answer}")

    def _announce(self, address: str, *, seconds: float) -> None:
        count = Suggestion.objects.filter(state=Suggestion.State.OPEN).count()
        logins = ", ".join(DEMO_USERS)
        self.stdout.write(
            f"{count} open suggestions; ready after {seconds:.0f} s. "
            f"Logs: {_log_file('web')} and {_log_file('worker')}. Ctrl-C stops."
        )
        self.stdout.write(
            self.style.SUCCESS(f"READY {address} logins: {logins}; password: {DEMO_PASSWORD}")
        )
        self.stdout.flush()

    @staticmethod
    def _watch(children: Children) -> None:
        try:
            while True:
                _raise_if_ended(children)
                time.sleep(1)
        except KeyboardInterrupt:
            return


def _refuse_taken_port(host: str, port: int) -> None:
    """Minutes of training should not end at a port that another server has."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CommandError(
                f"{host}:{port} cannot be used ({error.strerror}). Choose another: make demo PORT=8001"
            ) from error


def _log_file(name: str) -> Path:
    return settings.VAR_DIR / "log" / f"{name}.log"


def _raise_if_ended(children: Children) -> None:
    for name, child in children.items():
        if child.poll() is not None:
            last = _log_file(name).read_text(errors="replace").splitlines()[-15:]
            raise CommandError("\n".join([*last, f"{name} ended with status {child.returncode}."]))


@contextmanager
def _children(commands: dict[str, list[str]], environment: dict[str, str]) -> Iterator[Children]:
    """The commands, each in a session of its own: Ctrl-C reaches only us, and we end them in order."""
    children: Children = {}
    try:
        for name, command in commands.items():
            _log_file(name).parent.mkdir(parents=True, exist_ok=True)
            with _log_file(name).open("wb") as log:
                children[name] = subprocess.Popen(
                    command,
                    cwd=settings.BASE_DIR,
                    env=environment,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        yield children
    finally:
        _stop(list(children.values()))


def _stop(children: Children) -> None:
    """Ask every child to end, then kill what is left of its process group."""
    for child in children:
        if child.poll() is None:
            child.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    for child in children:
        try:
            child.wait(timeout=max(0.1, deadline - time.monotonic()))
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            deadline = time.monotonic()  # a second Ctrl-C means now
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue  # the whole group has ended
