"""/live says that the process answers, /ready whether the installation can work."""

from datetime import timedelta

import pytest
from django.db import connection
from django.db.utils import OperationalError
from django.utils import timezone

from catalog.guards.declarations import AppendOnly
from catalog.models import WorkerHeartbeat
from catalog.services import workers
from config import health
from tests.guards import lifted_guards

pytestmark = pytest.mark.django_db(databases="__all__")


def ready(client):
    answer = client.get("/ready")
    return answer.status_code, answer.json()["status"], answer.json()["checks"]


def note_workers(at):
    for queue in ("default", "training"):
        workers.note_worker(name=queue, queue=queue, facts={"slots": 1}, at=at)


def test_live_asks_nothing_of_the_database(client, django_assert_num_queries):
    with django_assert_num_queries(0):
        answer = client.get("/live")
    assert (answer.status_code, answer.content) == (200, b"ok\n")


def test_with_workers_everything_is_ready(client):
    note_workers(timezone.now())
    status, state, checks = ready(client)
    assert (status, state, set(checks.values())) == (200, "ready", {"ok"})
    assert set(checks) == {"database", "migrations", "guards", "worker", "broker"}


def test_without_a_worker_pages_still_work(client):
    note_workers(timezone.now() - timedelta(minutes=5))
    status, state, checks = ready(client)
    assert (status, state) == (200, "degraded")
    assert checks["worker"] == "no worker on: default, training"


def test_a_broker_that_is_away_is_named(client, settings):
    note_workers(timezone.now())
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
    status, state, checks = ready(client)
    assert (status, state) == (200, "degraded")
    assert checks["broker"].startswith("failed")


def test_a_missing_guard_takes_the_installation_out_of_service(client):
    with lifted_guards(AppendOnly):
        status, state, checks = ready(client)
    assert (status, state) == (503, "down")
    assert "guard_inventory_stockmovement_no_" in checks["guards"]
    assert ready(client)[0] == 200


def test_a_missing_migration_takes_it_out_of_service(client, monkeypatch):
    monkeypatch.setattr(health, "_migrated", set())
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'sessions'")
    status, _state, checks = ready(client)
    assert (status, checks["migrations"]) == (503, "1 missing in default")


def test_a_database_that_takes_no_write_is_found_out(client, monkeypatch):
    def refuse(**_values):
        raise OperationalError("attempt to write a readonly database")

    monkeypatch.setattr(WorkerHeartbeat.objects, "create", refuse)
    status, _state, checks = ready(client)
    assert (status, checks["database"]) == (503, "failed: OperationalError")


def test_the_write_probe_leaves_nothing(client):
    ready(client)
    assert not WorkerHeartbeat.objects.exists()
