"""The life of a run, told through the services: queue, claim, progress, end, followers, cancel, retry."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError

from catalog import runs as registry
from catalog import tasks
from catalog.models import Run
from catalog.selectors import runs as reads
from catalog.services import run_execution, runs
from catalog.services.run_context import LeaseLost, RunContext

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CALLS: list[str] = []


def succeed(context):
    CALLS.append(context.parameters.get("name", ""))
    context.progress(0.5, "half way")
    with context.fenced():
        pass
    return {"answer": 42}


def fail(context):
    raise ValueError("Expected at least one product, received: none.")


def refuse(context):
    raise ValidationError("The file has no column 'sku'.", code="missing_column")


def ask_to_cancel(context):
    Run.objects.filter(pk=context.run.pk).update(cancel_requested=True)
    context.beat()
    context.progress(0.1)
    raise AssertionError("progress() must have stopped the run")


@pytest.fixture(autouse=True)
def kinds(monkeypatch):
    monkeypatch.setattr(registry, "_kinds", dict(registry._kinds))
    monkeypatch.setattr(registry, "_schedules", {})
    CALLS.clear()
    for function in (succeed, fail, refuse, ask_to_cancel):
        path = f"{__name__}.{function.__name__}"
        registry.register_run_kind(f"test.{function.__name__}", executor=path, label=path)


@pytest.fixture
def alice(db):
    return User.objects.create_user("alice-runs")


def queue(kind="test.succeed", **more):
    return runs.enqueue_run(kind=kind, at=NOW, **more)


def test_a_run_is_claimed_executed_and_keeps_its_result():
    ended = run_execution.execute(run_id=queue().pk)

    assert ended is not None
    assert (ended.state, ended.result, ended.progress) == ("succeeded", {"answer": 42}, 1.0)
    assert (ended.attempt, ended.fence, ended.lease_until) == (1, 1, None)


def test_a_claimed_run_cannot_be_claimed_again():
    run = queue()
    assert runs.claim_run(run_id=run.pk, owner="first", at=NOW) is not None
    assert runs.claim_run(run_id=run.pk, owner="second", at=NOW) is None


def test_a_run_is_not_claimed_before_its_time():
    run = queue(due_at=NOW + timedelta(hours=1))
    assert runs.claim_run(run_id=run.pk, owner="early", at=NOW) is None
    assert runs.claim_run(run_id=run.pk, owner="later", at=NOW + timedelta(hours=1)) is not None


def test_a_due_key_names_one_run():
    first = queue(due_key="plan:2026-03-01")
    assert queue(due_key="plan:2026-03-01") == first
    assert Run.objects.count() == 1


def test_an_unknown_kind_is_refused_by_name():
    with pytest.raises(registry.UnknownRunKind, match=r"no\.such\.kind"):
        queue("no.such.kind")


def test_an_exception_ends_the_run_as_failed_with_message_first():
    ended = run_execution.execute(run_id=queue("test.fail").pk)
    assert ended is not None
    assert ended.state == "failed"
    assert ended.error.startswith("ValueError: Expected at least one product, received: none.")


def test_a_broken_rule_is_shown_without_a_traceback():
    ended = run_execution.execute(run_id=queue("test.refuse").pk)
    assert ended is not None
    assert ended.error == "The file has no column 'sku'."


def test_a_running_run_stops_at_its_next_report_after_a_request_to_cancel():
    ended = run_execution.execute(run_id=queue("test.ask_to_cancel").pk)
    assert ended is not None
    assert ended.state == "cancelled"


def test_followers_run_in_order_after_a_success():
    first = queue(parameters={"name": "a"})
    second = queue(parameters={"name": "b"}, after=first)
    third = queue(parameters={"name": "c"}, after=second)
    assert runs.claim_run(run_id=second.pk, owner="too early", at=NOW) is None

    tasks.run_inline(first, with_followers=True, quiet=True)

    assert CALLS == ["a", "b", "c"]
    third.refresh_from_db()
    assert third.state == "succeeded"
    assert third.chain == first.chain


def test_a_failure_cancels_all_generations_of_followers_and_retry_brings_them_back(alice):
    first = queue("test.fail")
    second = queue(after=first)
    third = queue(after=second)

    run_execution.execute(run_id=first.pk)

    third.refresh_from_db()
    second.refresh_from_db()
    assert [second.state, third.state] == ["cancelled", "cancelled"]
    assert f"run {first.pk} (test.fail) did not succeed" in second.error

    with pytest.raises(ValidationError, match="Start the run before it"):
        runs.retry_run(run_id=second.pk, by=alice, at=NOW)
    Run.objects.filter(pk=first.pk).update(kind="test.succeed")
    runs.retry_run(run_id=first.pk, by=alice, at=NOW)
    tasks.run_inline(first, with_followers=True, quiet=True)

    assert list(Run.objects.values_list("state", flat=True)) == ["succeeded"] * 3


def test_a_follower_cancelled_by_a_person_does_not_come_back_with_its_predecessor(alice):
    first = queue("test.fail")
    follower = queue(after=first)
    runs.request_cancel(run_id=follower.pk, by=alice, at=NOW)
    run_execution.execute(run_id=first.pk)
    runs.retry_run(run_id=first.pk, by=alice, at=NOW)
    follower.refresh_from_db()
    assert follower.state == "cancelled"


def test_a_finished_run_can_neither_be_cancelled_nor_retried(alice):
    run = queue()
    run_execution.execute(run_id=run.pk)
    with pytest.raises(ValidationError) as refused:
        runs.request_cancel(run_id=run.pk, by=alice, at=NOW)
    assert refused.value.code == "run_ended"
    with pytest.raises(ValidationError) as refused:
        runs.retry_run(run_id=run.pk, by=alice, at=NOW)
    assert refused.value.code == "run_not_ended"


def test_a_worker_that_lost_its_lease_writes_nothing():
    run = queue()
    paused = runs.claim_run(run_id=run.pk, owner="paused", at=NOW)
    Run.objects.filter(pk=run.pk).update(state="queued")  # what the sweeper does
    successor = runs.claim_run(run_id=run.pk, owner="paused", at=NOW)
    assert paused is not None
    assert successor is not None
    assert successor.fence == paused.fence + 1

    context = RunContext(paused)
    with pytest.raises(LeaseLost), context.fenced():
        raise AssertionError("the body of a fenced block must not start")
    context.beat()
    with pytest.raises(LeaseLost):
        context.progress(0.9)
    with pytest.raises(LeaseLost):
        runs.finish_run(run=paused, result={"from": "the paused worker"}, at=NOW)
    with pytest.raises(LeaseLost):
        runs.fail_run(run=paused, error="the paused worker", at=NOW)

    runs.finish_run(run=successor, result={"from": "the successor"}, at=NOW)
    run.refresh_from_db()
    assert run.result == {"from": "the successor"}


def test_complete_ends_the_run_together_with_its_effect():
    run = queue()
    claimed = runs.claim_run(run_id=run.pk, owner="one", at=NOW)
    assert claimed is not None
    context = RunContext(claimed)

    def write_and_fall_over():
        with context.fenced():
            User.objects.create_user("effect")
            context.complete({"users": 1})
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        write_and_fall_over()
    run.refresh_from_db()
    assert (run.state, User.objects.filter(username="effect").count()) == ("running", 0)

    with context.fenced():
        User.objects.create_user("effect")
        context.complete({"users": 1})
    run.refresh_from_db()
    assert (run.state, run.result) == ("succeeded", {"users": 1})


def test_progress_rows_carry_the_label_and_the_end():
    run = queue()
    claimed = runs.claim_run(run_id=run.pk, owner="one", at=NOW)
    assert claimed is not None
    runs.heartbeat(run=claimed, at=NOW, progress=0.25, note="reading")
    [row] = reads.run_progress(run_ids=[run.pk])
    assert (row["progress"], row["progress_note"], row["has_ended"]) == (0.25, "reading", False)
    assert row["label"].endswith("succeed")


def test_queue_ages_count_only_what_is_due():
    first = queue()
    queue(after=first)
    queue(due_at=NOW + timedelta(hours=1))
    ages = {age.queue: age for age in reads.queue_ages(at=NOW + timedelta(minutes=5))}
    assert (ages["default"].waiting, ages["default"].waiting_seconds) == (1, 300.0)
    assert ages["gpu"].waiting == 0
