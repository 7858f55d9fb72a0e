"""A run: one piece of background work. The row is the truth, a queue message only says that it is due."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class Run(models.Model):
    """Leased work. A worker owns a run while its lease lasts; each claim raises the fencing token.

    Whatever a run writes, it writes under its token (`catalog.services.runs.fenced`), so a worker that
    was paused and lost its lease cannot write over its successor.
    """

    class State(models.TextChoices):
        QUEUED = "queued", _("Queued")
        RUNNING = "running", _("Running")
        SUCCEEDED = "succeeded", _("Succeeded")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Cancelled")

    class Queue(models.TextChoices):
        DEFAULT = "default", _("Default")
        TRAINING = "training", _("Training")
        GPU = "gpu", _("GPU")

    kind = models.CharField(_("kind"), max_length=60)
    queue = models.CharField(
        _("queue"), max_length=16, choices=Queue.choices, default=Queue.DEFAULT
    )
    parameters = models.JSONField(_("parameters"), default=dict, blank=True)
    state = models.CharField(_("state"), max_length=16, choices=State.choices, default=State.QUEUED)
    due_key = models.CharField(
        _("due key"),
        max_length=120,
        null=True,
        blank=True,
        unique=True,
        help_text=_("A scheduled run exists once per key, however many schedulers insert it."),
    )
    chain = models.UUIDField(_("chain"), default=uuid.uuid4, db_index=True)
    after = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="followers",
        verbose_name=_("runs after"),
    )
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("requested by"),
    )
    created_at = models.DateTimeField(_("created at"))
    due_at = models.DateTimeField(_("due at"))
    delivered_at = models.DateTimeField(_("last delivered at"), null=True, blank=True)
    started_at = models.DateTimeField(_("started at"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    owner = models.CharField(_("owner"), max_length=120, blank=True)
    lease_until = models.DateTimeField(_("lease until"), null=True, blank=True)
    heartbeat_at = models.DateTimeField(_("heartbeat at"), null=True, blank=True)
    fence = models.PositiveIntegerField(_("fencing token"), default=0)
    attempt = models.PositiveSmallIntegerField(_("attempt"), default=0)
    progress = models.FloatField(_("progress"), default=0.0)
    progress_note = models.CharField(_("progress note"), max_length=200, blank=True)
    waiting_reason = models.CharField(_("waiting because"), max_length=200, blank=True)
    cancel_requested = models.BooleanField(_("cancel requested"), default=False)
    result = models.JSONField(_("result"), default=dict, blank=True)
    error = models.TextField(_("error"), blank=True)

    class Meta:
        verbose_name = _("run")
        verbose_name_plural = _("runs")
        ordering = ["-id"]
        indexes = [models.Index(fields=["state", "queue", "due_at"], name="run_due")]
        constraints = [
            models.CheckConstraint(
                condition=Q(progress__gte=0) & Q(progress__lte=1), name="run_progress_0_1"
            ),
            models.CheckConstraint(
                condition=~Q(state="running") | (Q(lease_until__isnull=False) & ~Q(owner="")),
                name="running_run_has_lease",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} #{self.pk}"


class WorkerHeartbeat(models.Model):
    """One row per live worker process, so that pages can say whether anybody works on a queue."""

    name = models.CharField(_("name"), max_length=120, unique=True)
    queue = models.CharField(_("queue"), max_length=16)
    seen_at = models.DateTimeField(_("seen at"))
    facts = models.JSONField(_("facts"), default=dict, blank=True)

    class Meta:
        verbose_name = _("worker")
        verbose_name_plural = _("workers")
        ordering = ["queue", "name"]

    def __str__(self) -> str:
        return self.name
