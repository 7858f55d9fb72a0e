"""Kill -9 in mid-run loses nothing and doubles nothing, on the file-system broker and on Redis."""

import os
import signal

import pytest
from django.contrib.auth.models import Group

pytestmark = [pytest.mark.worker, pytest.mark.django_db(transaction=True)]


def process_of(run):
    """The process that executes the run: its owner is host:process:claim."""
    run.refresh_from_db()
    return int(run.owner.split(":")[1])


def test_a_killed_child_is_swept_and_its_run_done_again_once(workers, queue, effects):
    run = queue("test.fenced")
    workers.start()
    workers.wait_for_state(run, "running")

    os.kill(process_of(run), signal.SIGKILL)

    ended = workers.wait_for_state(run, "succeeded")
    assert (ended.attempt, ended.result, effects(run)) == (2, {"attempt": 2}, 1)


def test_a_killed_launcher_takes_its_children_along_and_the_next_one_goes_on(
    workers, queue, effects
):
    run, behind = queue("test.fenced"), queue("test.quick")
    workers.start()
    workers.wait_for_state(run, "running")
    workers.wait_for_state(behind, "succeeded")
    assert len(workers.processes()) >= 4  # launcher, scheduler, worker, its children

    workers.process.kill()
    workers.process.wait()
    workers.wait_for(lambda: not workers.processes(), seconds=10)
    waiting = queue("test.quick")
    workers.start()

    ended = workers.wait_for_state(run, "succeeded")
    workers.wait_for_state(waiting, "succeeded")
    assert (ended.attempt, effects(run), effects(behind), effects(waiting)) == (2, 1, 1, 1)


def pause_until_somebody_else_did_it(workers, run):
    """Stop the process in mid-run, wait for its successor, let the first one go on."""
    workers.start()
    workers.wait_for_state(run, "running")
    paused = process_of(run)
    os.kill(paused, signal.SIGSTOP)
    workers.wait_for_state(run, "succeeded")
    Group.objects.create(name=f"go-on-{run.pk}")
    os.kill(paused, signal.SIGCONT)
    workers.wait_for(lambda: f"Run {run.pk} is no longer leased" in workers.log(), seconds=20)


def test_a_paused_worker_cannot_write_over_its_successor(workers, queue, effects):
    run = queue("test.fenced")
    pause_until_somebody_else_did_it(workers, run)
    run.refresh_from_db()
    assert (effects(run), run.attempt, run.result) == (1, 2, {"attempt": 2})


def test_without_the_fence_the_paused_worker_does_it_twice(workers, queue, effects):
    run = queue("test.unfenced")
    pause_until_somebody_else_did_it(workers, run)
    run.refresh_from_db()
    assert (effects(run), run.result) == (2, {"attempt": 2})


def test_lost_messages_are_sent_again(workers, queue, effects):
    lost = [queue("test.quick") for _number in range(5)]
    workers.manage("scheduler", "--once")
    workers.purge()
    workers.start()
    for run in lost:
        workers.wait_for_state(run, "succeeded")
    assert [effects(run) for run in lost] == [1] * 5
