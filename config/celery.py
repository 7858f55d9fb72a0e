"""The Celery application. It only delivers "run 123 is due": the run row is the truth."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("granary")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
