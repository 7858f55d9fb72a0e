"""Effects that can be counted: each execution that gets so far adds one group named after the run."""

import time
import uuid

from django.contrib.auth.models import Group

PATIENCE_SECONDS = 60


def _add_effect(context):
    Group.objects.create(name=f"run-{context.run.pk}-{uuid.uuid4()}")


def _be_slow_at_first(context):
    """The first attempt takes so long that the test can kill or pause its process."""
    if context.run.attempt == 1:
        for _second in range(PATIENCE_SECONDS):
            if Group.objects.filter(name=f"go-on-{context.run.pk}").exists():
                return
            time.sleep(0.1)


def fenced(context):
    context.progress(0.5, "half way")
    _be_slow_at_first(context)
    with context.fenced():
        _add_effect(context)
        context.complete({"attempt": context.run.attempt})


def unfenced(context):
    context.progress(0.5, "half way")
    _be_slow_at_first(context)
    _add_effect(context)
    return {"attempt": context.run.attempt}


def quick(context):
    with context.fenced():
        _add_effect(context)
        context.complete({})
