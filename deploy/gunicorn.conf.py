"""Gunicorn: threads, because pages wait for the database more than they compute."""

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

worker_class = "gthread"
workers = int(os.environ.get("WEB_WORKERS", min(multiprocessing.cpu_count(), 4)))
threads = int(os.environ.get("WEB_THREADS", 4))
timeout = 60
graceful_timeout = 20
accesslog = os.environ.get("WEB_ACCESS_LOG") or None
control_socket_disable = True


def on_starting(server: Any) -> None:
    """Refuse to serve on a database without its guards, constraints and grants.

    In a process of its own: what the master has imported, a reload would not read again.
    """
    home = Path(__file__).resolve().parent.parent
    check = [sys.executable, "manage.py", "check_db_guards", "--starting"]
    status = subprocess.run(check, cwd=home, check=False).returncode
    if status:
        sys.exit(status)
