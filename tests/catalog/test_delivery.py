"""Messages go out after commit, only for what is due."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from catalog import tasks
from catalog.services import runs

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture
def sent(monkeypatch):
    messages = []
    monkeypatch.setattr(
        tasks.execute_run,
        "apply_async",
        lambda args, queue, retry: messages.append((args[0], queue)),
    )
    return messages


def queue(**more):
    return runs.enqueue_run(kind="housekeeping", at=timezone.now(), **more)


def test_a_message_goes_out_after_commit(sent, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        run = queue(queue="training")
        tasks.deliver(run)
        assert sent == []
    assert sent == [(run.pk, "training")]
    run.refresh_from_db()
    assert run.delivered_at is not None


def test_nothing_is_sent_after_a_rollback(sent, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
        tasks.deliver(queue())
        transaction.set_rollback(True)
    assert sent == []


def test_nothing_is_sent_for_what_is_not_due(sent):
    first = queue()
    assert not tasks.send_message(queue(after=first).pk)
    assert not tasks.send_message(queue(due_at=timezone.now() + timedelta(hours=1)).pk)
    assert sent == []


def test_a_success_sends_the_followers(sent, django_capture_on_commit_callbacks):
    first = queue()
    follower = queue(after=first, queue="training")
    with django_capture_on_commit_callbacks(execute=True):
        tasks.execute_run(first.pk)
    assert sent == [(follower.pk, "training")]
