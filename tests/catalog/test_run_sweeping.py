"""What the scheduler mends: lost workers, lost messages, runs that no GPU takes, schedules."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured

from catalog import runs as registry
from catalog.models import Run
from catalog.selectors.runs import run_list
from catalog.services import run_sweeping, runs, workers
from catalog.services.housekeeping import drop_routine_runs

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def kinds(monkeypatch):
    monkeypatch.setattr(registry, "_kinds", {})
    monkeypatch.setattr(registry, "_schedules", {})
    registry.register_run_kind("test.work", executor="no.where", label="work")


@pytest.fixture(autouse=True)
def short_times(settings):
    settings.RUN_LEASE_SECONDS = 60
    settings.RUN_REDELIVER_SECONDS = 30
    settings.GPU_WAIT_MINUTES = 15


def queue(**more):
    return runs.enqueue_run(kind="test.work", at=NOW, **more)


def claim(run, at=NOW):
    claimed = runs.claim_run(run_id=run.pk, owner="host:1:a", at=at)
    assert claimed is not None
    return claimed


def state_of(run):
    run.refresh_from_db()
    return run.state


def test_a_live_lease_is_left_alone_and_an_expired_one_is_queued_again():
    run = claim(queue())
    assert run_sweeping.sweep_runs(at=NOW + 60 * SECOND).requeued == []
    runs.heartbeat(run=run, at=NOW + 20 * SECOND)
    assert run_sweeping.sweep_runs(at=NOW + 61 * SECOND).requeued == []

    report = run_sweeping.sweep_runs(at=NOW + 81 * SECOND)

    assert (report.requeued, report.due, state_of(run)) == ([run.pk], [run.pk], "queued")


def test_after_the_last_attempt_the_run_fails_and_its_followers_with_it(settings):
    run = queue()
    follower = queue(after=run)
    at = NOW
    for _attempt in range(settings.RUN_MAX_ATTEMPTS):
        claim(run, at=at)
        at += 61 * SECOND
        report = run_sweeping.sweep_runs(at=at)

    assert (report.failed, report.followers_cancelled) == ([run.pk], 1)
    assert state_of(run) == "failed"
    assert run.error == "The worker was lost 3 times."
    assert state_of(follower) == "cancelled"


def test_a_lost_worker_that_was_asked_to_cancel_is_not_started_again():
    run = claim(queue())
    Run.objects.filter(pk=run.pk).update(cancel_requested=True)
    report = run_sweeping.sweep_runs(at=NOW + 61 * SECOND)
    assert (report.cancelled, state_of(run)) == ([run.pk], "cancelled")


def test_a_follower_queued_after_the_failure_is_cancelled_too():
    run = claim(queue())
    runs.fail_run(run=run, error="x", at=NOW)
    late = queue(after=run)
    assert run_sweeping.sweep_runs(at=NOW).followers_cancelled == 1
    assert state_of(late) == "cancelled"


def test_a_message_is_sent_again_only_where_a_free_worker_leaves_it_lying():
    run = queue()
    assert run_sweeping.sweep_runs(at=NOW).due == [run.pk]
    runs.mark_delivered(run_ids=[run.pk], at=NOW)
    late = NOW + 31 * SECOND
    assert (
        run_sweeping.sweep_runs(at=late).due == []
    )  # nobody there: the message waits in the queue

    workers.note_worker(name="w", queue="default", facts={"slots": 1}, at=late)
    assert run_sweeping.sweep_runs(at=NOW + 29 * SECOND).due == []
    assert run_sweeping.sweep_runs(at=late).due == [run.pk]

    claim(queue(), at=late)  # the one slot is taken: a backlog is no loss
    assert run_sweeping.sweep_runs(at=late).due == []


def test_a_run_without_a_gpu_says_why_it_waits_and_moves_to_training():
    run = queue(queue="gpu")
    run_sweeping.sweep_runs(at=NOW)
    run.refresh_from_db()
    assert run.waiting_reason == (
        "No GPU worker is running. Moves to the training queue at 12:15 UTC."
    )
    later = NOW + timedelta(minutes=5)
    workers.note_worker(name="w", queue="gpu", facts={"slots": 0, "gpus": []}, at=later)
    run_sweeping.sweep_runs(at=later)
    run.refresh_from_db()
    assert run.waiting_reason.startswith("The GPU worker sees no graphics card.")

    report = run_sweeping.sweep_runs(at=NOW + timedelta(minutes=15))

    run.refresh_from_db()
    assert (report.moved, report.due, run.queue) == ([run.pk], [run.pk], "training")
    assert run.waiting_reason.startswith("Moved to the training queue after 15 minutes.")
    claimed = claim(run, at=NOW + timedelta(minutes=15))
    assert claimed.waiting_reason.startswith("Moved to the training queue")


def test_a_schedule_inserts_one_run_a_day_and_catches_up():
    registry.register_schedule("nightly", kind="test.work", daily_at="03:00", parameters={"a": 1})
    [run] = run_sweeping.insert_scheduled_runs(at=NOW)
    assert (run.due_key, run.parameters) == ("nightly:2026-03-01", {"a": 1})
    assert run.due_at == datetime(2026, 3, 1, 3, tzinfo=UTC)
    assert run_sweeping.insert_scheduled_runs(at=NOW + timedelta(hours=14)) == []
    [next_run] = run_sweeping.insert_scheduled_runs(at=NOW + timedelta(hours=15))
    assert next_run.due_key == "nightly:2026-03-02"


def test_a_run_started_by_hand_since_the_time_counts_as_the_scheduled_one():
    registry.register_schedule("nightly", kind="test.work", daily_at="03:00")
    queue()
    assert run_sweeping.insert_scheduled_runs(at=NOW + timedelta(hours=1)) == []


def test_a_weekly_schedule_falls_on_its_day():
    registry.register_schedule("weekly", kind="test.work", daily_at="04:00", weekday=0)
    [schedule] = registry.schedules()
    sunday = NOW
    assert schedule.last_due(sunday) == datetime(2026, 2, 23, 4, tzinfo=UTC)  # the Monday before


def test_a_frequent_schedule_comes_every_few_minutes_and_does_not_pile_up():
    registry.register_schedule("sweep", kind="test.work", every_minutes=5)
    at = NOW + timedelta(minutes=7)
    [run] = run_sweeping.insert_scheduled_runs(at=at)
    assert (run.due_key, run.due_at) == ("sweep:2026-03-01T12:05", NOW + timedelta(minutes=5))
    assert run_sweeping.insert_scheduled_runs(at=NOW + timedelta(minutes=9)) == []
    later = NOW + timedelta(minutes=10)
    assert run_sweeping.insert_scheduled_runs(at=later) == []  # the one before still waits
    runs.finish_run(run=claim(run, at=at), result={}, at=at)
    [following] = run_sweeping.insert_scheduled_runs(at=later)
    assert following.due_key == "sweep:2026-03-01T12:10"


@pytest.mark.parametrize("minutes", [0, -5, 7, 1440])
def test_minutes_that_do_not_divide_a_day_are_refused(minutes):
    with pytest.raises(ImproperlyConfigured):
        registry.register_schedule("odd", kind="test.work", every_minutes=minutes)


def test_routine_successes_are_dropped_after_a_day_and_left_out_of_lists():
    registry.register_run_kind("test.routine", executor="no.where", label="r", is_routine=True)
    failed, old, young = (runs.enqueue_run(kind="test.routine", at=NOW) for _n in range(3))
    runs.fail_run(run=claim(failed), error="x", at=NOW)
    runs.finish_run(run=claim(old), result={}, at=NOW)
    runs.finish_run(run=claim(young), result={}, at=NOW + timedelta(hours=20))
    other = queue()
    runs.finish_run(run=claim(other), result={}, at=NOW)
    assert set(run_list(with_routine=False)) == {failed, other}

    assert drop_routine_runs(at=NOW + timedelta(hours=25)) == 1

    assert set(run_list()) == {failed, young, other}
