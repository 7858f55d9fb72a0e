"""The Celery application. It only delivers "run 123 is due": the run row is the truth."""

import os

from celery import Celery
from celery.signals import worker_init, worker_process_init

from config.orphans import die_with_parent

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("granary")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_init.connect  # type: ignore[untyped-decorator]
def watch_launcher(**_kwargs: object) -> None:
    """A worker that `manage.py worker` started ends with it, even when that one is killed."""
    if os.environ.get("GRANARY_LAUNCHER") == str(os.getppid()):
        die_with_parent()


@worker_process_init.connect  # type: ignore[untyped-decorator]
def watch_worker(**_kwargs: object) -> None:
    """A child in the middle of a run ends with its worker: the run is swept and done again elsewhere."""
    die_with_parent()
