"""What the launcher looks after: ends in order, restarts what died, gives training a process per run."""

import os
import signal
from pathlib import Path

import pytest

from catalog.models import Run, WorkerHeartbeat

pytestmark = [pytest.mark.worker, pytest.mark.django_db(transaction=True)]


def process_of(run):
    run.refresh_from_db()
    return int(run.owner.split(":")[1])


def parent_of(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


@pytest.mark.parametrize("workers", ["filesystem://"], indirect=True)
class TestLauncher:
    def test_a_killed_worker_takes_its_pool_along_and_is_started_again(
        self, workers, queue, effects
    ):
        run = queue("test.fenced")
        workers.start()
        workers.wait_for_state(run, "running")
        child = process_of(run)
        worker = parent_of(child)
        assert parent_of(worker) == workers.process.pid

        os.kill(worker, signal.SIGKILL)

        workers.wait_for(lambda: child not in workers.processes(), seconds=10)
        workers.wait_for_state(run, "succeeded")
        assert (process_of(run) != child, effects(run)) == (True, 1)
        assert "worker default ended with status -9; starts again" in workers.log()

    def test_each_training_run_has_a_process_of_its_own(self, workers, queue):
        trained = [queue("test.quick") for _number in range(2)]
        Run.objects.update(queue="training")
        workers.start("--queues", "training")
        for run in trained:
            workers.wait_for_state(run, "succeeded")
        assert len({process_of(run) for run in trained}) == 2

    def test_without_a_graphics_card_nothing_is_taken_from_the_gpu_queue(self, workers, queue):
        workers.environment["CUDA_VISIBLE_DEVICES"] = "-1"
        run = queue("test.quick")
        Run.objects.filter(pk=run.pk).update(queue="gpu")
        workers.start("--queues", "gpu")
        workers.wait_for(lambda: WorkerHeartbeat.objects.filter(queue="gpu").exists())
        workers.manage("scheduler", "--once")
        run.refresh_from_db()
        assert run.state == "queued"
        assert run.waiting_reason.startswith("The GPU worker sees no graphics card.")
        assert len(workers.processes()) == 1

    def test_the_launcher_says_who_is_alive_and_ends_in_order(self, workers, queue):
        workers.start()
        workers.wait_for(lambda: WorkerHeartbeat.objects.filter(queue="default").exists())
        workers.wait_for(lambda: WorkerHeartbeat.objects.filter(queue="scheduler").exists())
        assert WorkerHeartbeat.objects.get(queue="default").facts["slots"] == 2

        workers.process.terminate()
        assert workers.process.wait(30) == 0
        assert workers.processes() == []
        assert not WorkerHeartbeat.objects.exists()

    def test_a_broker_that_is_away_holds_nobody_up_and_loses_nothing(self, workers, queue):
        here = workers.environment["CELERY_BROKER_URL"]
        workers.environment["CELERY_BROKER_URL"] = "redis://127.0.0.1:1/0"
        run = queue("test.quick")
        workers.manage("scheduler", "--once", timeout=60)
        run.refresh_from_db()
        assert (run.state, run.delivered_at) == ("queued", None)

        workers.environment["CELERY_BROKER_URL"] = here
        workers.start()
        workers.wait_for_state(run, "succeeded")
