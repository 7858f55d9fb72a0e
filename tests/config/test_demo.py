"""The demo command: refuses a taken port at once, tells why a server ended, leaves no process behind."""

import fcntl
import os
import socket
import sys
import time

import pytest
from django.core.management import CommandError, call_command

from config.management.commands import demo

# A server that does not listen to SIGTERM, with a child of its own that holds a lock as long as it lives.
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = "import fcntl, time; file = open('%s', 'w'); fcntl.flock(file, 2); print('up', flush=True); time.sleep(600)"
subprocess.Popen([sys.executable, "-c", child])
time.sleep(600)
"""


@pytest.fixture(autouse=True)
def _files_of_its_own(settings, tmp_path):
    settings.VAR_DIR = tmp_path


def is_locked(path):
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_a_taken_port_is_refused_before_anything_is_prepared():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(CommandError, match=f"127.0.0.1:{port} cannot be used"):
            call_command("demo", "--port", str(port))


def test_the_end_of_a_server_is_told_with_the_last_lines_of_its_log():
    command = [sys.executable, "-c", "print('no such table'); raise SystemExit(3)"]
    with demo._children({"web": command}, dict(os.environ)) as children:
        children["web"].wait(timeout=30)
        with pytest.raises(CommandError, match=r"no such table\nweb ended with status 3"):
            demo._raise_if_ended(children)


def test_no_process_is_left_behind_even_by_a_server_that_does_not_listen(monkeypatch, tmp_path):
    monkeypatch.setattr(demo, "STOP_SECONDS", 1)
    lock = tmp_path / "lock"
    command = [sys.executable, "-c", STUBBORN % lock]
    with demo._children({"web": command}, dict(os.environ)) as children:
        while "up" not in demo._log_file("web").read_text():
            assert children["web"].poll() is None
            time.sleep(0.05)
        assert is_locked(lock)
    deadline = time.monotonic() + 10  # the kernel ends a killed process a moment later
    while is_locked(lock) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_locked(lock)
