"""Signs of life of workers, and what the machine under them has."""

import os
import shutil
import socket
import subprocess
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from catalog.models import WorkerHeartbeat


def note_worker(*, name: str, queue: str, facts: Mapping[str, Any], at: datetime) -> None:
    """A worker (or the scheduler) is alive."""
    WorkerHeartbeat.objects.update_or_create(
        name=name, defaults={"queue": queue, "facts": dict(facts), "seen_at": at}
    )


def forget_worker(*, name: str) -> None:
    """A worker has stopped in good order."""
    WorkerHeartbeat.objects.filter(name=name).delete()


def worker_name(queue: str) -> str:
    return f"{queue}@{socket.gethostname()[:80]}:{os.getpid()}"


def visible_gpus() -> list[str]:
    """Names of the graphics cards here, asked of the driver and never of a training library."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0") in ("", "-1"):
        return []
    if not any(Path("/dev").glob("nvidia[0-9]*")) and not Path("/dev/dxg").exists():
        return []
    command = shutil.which("nvidia-smi")
    if command is None:
        return []
    query = [command, "--query-gpu=name", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return (
        [line.strip() for line in answer.stdout.splitlines() if line.strip()]
        if not answer.returncode
        else []
    )
