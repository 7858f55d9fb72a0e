"""Is this installation fit to work? The checks behind /ready."""

import logging
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.db import connection, connections, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.utils import Error as DatabaseError
from django.utils import timezone
from kombu import Connection
from kombu.exceptions import OperationalError as BrokerError

from catalog.guards import missing_guards
from catalog.models import WorkerHeartbeat
from catalog.selectors.runs import live_workers

logger = logging.getLogger(__name__)
_migrated: set[str] = set()


def readiness() -> tuple[str, dict[str, str]]:
    """("ready" | "degraded" | "down", what each check found). "ok" is the only good finding.

    Down: the database takes no write, migrations are missing, or a guard is. Degraded: pages work, background
    work does not.
    """
    needed = {"database": _database, "migrations": _migrations, "guards": _guards}
    helpful = {"worker": _worker, "broker": _broker}
    findings = {name: _finding(check) for name, check in needed.items()}
    is_down = any(finding != "ok" for finding in findings.values())
    findings |= {
        name: "unknown" if findings["database"] != "ok" else _finding(check)
        for name, check in helpful.items()
    }
    if is_down:
        return "down", findings
    return ("ready" if set(findings.values()) == {"ok"} else "degraded"), findings


def _finding(check: Callable[[], str]) -> str:
    try:
        return check()
    except (DatabaseError, BrokerError, OSError) as error:
        logger.warning("Readiness: %s", error)
        return f"failed: {type(error).__name__}"


def _database() -> str:
    """A write that is taken back: a full disk or a read-only replica answers reads all the same."""
    with transaction.atomic():
        WorkerHeartbeat.objects.create(name="probe", queue="probe", seen_at=timezone.now())
        transaction.set_rollback(True)
    return "ok"


def _migrations() -> str:
    for alias in connections:
        if alias in _migrated:
            continue
        executor = MigrationExecutor(connections[alias])
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if plan:
            return f"{len(plan)} missing in {alias}"
        _migrated.add(alias)
    return "ok"


def _guards() -> str:
    missing = missing_guards(connection)
    return f"missing: {', '.join(missing)}" if missing else "ok"


def _worker() -> str:
    queues = set(live_workers(at=timezone.now()).values_list("queue", flat=True))
    silent = {"default", "training"} - queues
    return f"no worker on: {', '.join(sorted(silent))}" if silent else "ok"


def _broker() -> str:
    if settings.CELERY_BROKER_URL.startswith("filesystem"):
        folder = Path(settings.CELERY_BROKER_TRANSPORT_OPTIONS["data_folder_out"])
        return "ok" if folder.is_dir() else "folder missing"
    with Connection(settings.CELERY_BROKER_URL, connect_timeout=1) as broker:
        broker.ensure_connection(max_retries=1, timeout=1)
    return "ok"
