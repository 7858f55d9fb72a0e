"""Many workers, one run: exactly one gets it, on either engine. The canary shows that the race is real."""

import threading
import time
from datetime import UTC, datetime

import pytest
from django.db import connections

from catalog import runs as registry
from catalog.models import Run
from catalog.services import run_execution, run_sweeping, runs
from catalog.services.run_context import RunContext

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
WORKERS = 8
EXECUTED: list[int] = []


def execute(context):
    EXECUTED.append(context.run.pk)
    return {}


def long_silence(context):
    """Work that reports nothing for three leases."""
    time.sleep(3.5)
    context.progress(1.0, "done")
    return {}


@pytest.fixture(autouse=True)
def kinds(monkeypatch):
    EXECUTED.clear()
    monkeypatch.setattr(registry, "_kinds", {})
    monkeypatch.setattr(registry, "_schedules", {})
    for function in (execute, long_silence):
        registry.register_run_kind(
            f"test.{function.__name__}", executor=f"{__name__}.{function.__name__}", label="x"
        )


def at_once(work):
    """Run `work` in WORKERS threads that start together; each closes its connections."""
    barrier = threading.Barrier(WORKERS)
    results = []

    def one(number):
        try:
            barrier.wait(10)
            results.append(work(number))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=one, args=(number,)) for number in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_one_of_many_workers_claims_a_run():
    for _round in range(5):
        run = runs.enqueue_run(kind="test.execute", at=NOW)
        claims = at_once(
            lambda number, pk=run.pk: runs.claim_run(run_id=pk, owner=f"worker {number}", at=NOW)
        )
        assert len([claim for claim in claims if claim is not None]) == 1
        run.refresh_from_db()
        assert (run.fence, run.attempt) == (1, 1)


def test_reading_before_writing_lets_several_workers_win():
    """The canary: the same race, with a claim that looks first and writes then."""

    def naive_claim(number, pk):
        run = Run.objects.get(pk=pk)
        if run.state != Run.State.QUEUED:
            return None
        time.sleep(0.01)
        Run.objects.filter(pk=pk).update(state="running", owner=f"{number}", lease_until=NOW)
        return run

    run = runs.enqueue_run(kind="test.execute", at=NOW)
    claims = at_once(lambda number: naive_claim(number, run.pk))
    assert len([claim for claim in claims if claim is not None]) > 1


def test_many_messages_about_many_runs_execute_each_once():
    queued = [runs.enqueue_run(kind="test.execute", at=NOW).pk for _number in range(5)]
    at_once(lambda _number: [run_execution.execute(run_id=pk) for pk in queued])
    assert sorted(EXECUTED) == queued
    assert set(Run.objects.values_list("state", flat=True)) == {"succeeded"}


def test_many_schedulers_insert_one_run():
    registry.register_schedule("race", kind="test.execute", daily_at="03:00")
    at_once(lambda _number: run_sweeping.insert_scheduled_runs(at=NOW))
    assert Run.objects.filter(due_key="race:2026-03-01").count() == 1


def test_the_heartbeat_keeps_a_silent_run_alive(settings):
    from django.utils import timezone

    settings.RUN_LEASE_SECONDS = 1
    run = runs.enqueue_run(kind="test.long_silence", at=timezone.now())
    swept, stop = [], threading.Event()

    def sweep():
        while not stop.wait(0.2):
            swept.extend(run_sweeping.sweep_runs(at=timezone.now()).requeued)
        connections.close_all()

    sweeper = threading.Thread(target=sweep)
    sweeper.start()
    ended = run_execution.execute(run_id=run.pk)
    stop.set()
    sweeper.join()
    assert ended is not None
    assert (ended.state, ended.attempt, swept) == ("succeeded", 1, [])


def test_without_the_heartbeat_the_same_run_is_taken_away(settings, monkeypatch):
    from django.utils import timezone

    settings.RUN_LEASE_SECONDS = 1
    monkeypatch.setattr(RunContext, "_keep_beating", lambda self: None)
    run = runs.enqueue_run(kind="test.long_silence", at=timezone.now())
    swept = []

    def sweep():
        time.sleep(2)
        swept.extend(run_sweeping.sweep_runs(at=timezone.now()).requeued)
        connections.close_all()

    sweeper = threading.Thread(target=sweep)
    sweeper.start()
    ended = run_execution.execute(run_id=run.pk)
    sweeper.join()
    assert ended is not None
    assert (ended.state, swept) == ("queued", [run.pk])


def test_a_sweeper_cannot_take_a_run_in_the_middle_of_a_fenced_write(settings):
    """The lease runs out while the transaction is open; the sweeper comes, and finds a fresh lease."""
    from django.utils import timezone

    settings.RUN_LEASE_SECONDS = 1
    run = runs.enqueue_run(kind="test.execute", at=timezone.now())
    claimed = runs.claim_run(run_id=run.pk, owner="writer", at=timezone.now())
    assert claimed is not None
    context, swept = RunContext(claimed), []

    def sweep():
        time.sleep(1.3)
        swept.extend(run_sweeping.sweep_runs(at=timezone.now()).requeued)
        connections.close_all()

    sweeper = threading.Thread(target=sweep)
    sweeper.start()
    with context.fenced():
        time.sleep(1.8)
    sweeper.join()
    runs.finish_run(run=claimed, result={}, at=timezone.now())
    assert swept == []
