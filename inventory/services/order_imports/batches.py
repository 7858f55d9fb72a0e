"""Files of orders: taken in, tried or imported in the worker, and not kept longer than they are needed.

An export holds names and addresses. They are never read into the database, and our copy of the file goes with
the import: after a real one at once, after a trial when it is imported or a week has passed.
"""

from datetime import datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.core.exceptions import ValidationError
from django.core.files import File
from django.db import transaction
from django.utils.translation import gettext as _

from catalog.models import Run
from catalog.services.runs import enqueue_run
from inventory.engine.order_files import FORMATS
from inventory.exceptions import NotAllowed
from inventory.models import ImportBatch, Warehouse
from inventory.selectors import order_imports
from inventory.selectors.scope import scope_of
from inventory.services.customer_orders.common import ADD
from inventory.services.duties import require_permission

RUN_KIND = "import.orders"
PRESET = order_imports.PRESET
MOST_UPLOAD_BYTES = 20 << 20
TRIAL_KEPT = timedelta(days=7)
State = ImportBatch.State


@transaction.atomic
def begin_import(
    *,
    kind: str,
    warehouse_id: int,
    by: Any,
    at: datetime,
    uploaded: Any = None,
    path: str = "",
    channel: str = "shop",
    dry_run: bool = True,
    time_zone: str = "",
    date_format: str = "",
    currency: str = "",
    encoding: str = "",
) -> tuple[ImportBatch, Run]:
    """Take a file in and queue its run; the caller delivers it. The import acts as ``by``.

    Args:
        kind: a key of `inventory.engine.order_files.FORMATS`.
        uploaded: a file from a form, of which a copy is kept until it is imported. Or:
        path: a file on this machine, read where it lies.

    Raises:
        NotAllowed: the permission is missing, or the warehouse lies outside the scope.
        ValidationError: an unknown format or time zone, a file that is too large, a channel that is none.
    """
    require_permission(by, ADD)
    warehouse = (
        scope_of(by)
        .restrict(Warehouse.objects.filter(pk=warehouse_id), product=None, warehouse="")
        .first()
    )
    if warehouse is None:
        raise NotAllowed(_("This warehouse lies outside your scope."), code="out_of_scope")
    options = {
        "warehouse_id": warehouse.pk, "channel": channel, "dry_run": dry_run, "path": path,
        "time_zone": time_zone or warehouse.time_zone, "date_format": date_format,
        "currency": currency.upper(), "encoding": encoding or "utf-8",
    }  # fmt: skip
    _check(kind, options, uploaded)
    purge_trials(at=at)
    name = str(uploaded.name if uploaded is not None else path).rsplit("/", 1)[-1]
    batch = ImportBatch(
        preset=f"{PRESET}{kind}", file_name=name[:200], by=by, created_at=at, options=options
    )
    if uploaded is not None:
        stored = uploaded if isinstance(uploaded, File) else File(uploaded)
        batch.file.save(f"orders-{at:%Y%m%d}.csv", stored, save=False)
    batch.save()
    return batch, _queue(batch, by=by, at=at)


@transaction.atomic
def import_after_trial(*, batch_id: int, by: Any, at: datetime) -> tuple[ImportBatch, Run]:
    """Import for real what was tried before; doing it twice queues it once.

    Raises:
        NotAllowed: the permission is missing.
        ValidationError: it was no trial, or its file is gone.
    """
    require_permission(by, ADD)
    batch = ImportBatch.objects.select_for_update().get(pk=batch_id, preset__startswith=PRESET)
    if not batch.options.get("dry_run") and batch.run is not None:
        return batch, batch.run
    if batch.state != State.DRY_RUN or not (batch.file or batch.options.get("path")):
        raise ValidationError(
            _("The file is not here any more. Upload it again."), code="file_gone"
        )
    batch.options = {**batch.options, "dry_run": False}
    batch.state, batch.by = State.CHECKING, by
    batch.save()
    return batch, _queue(batch, by=by, at=at)


def _queue(batch: ImportBatch, *, by: Any, at: datetime) -> Run:
    run = enqueue_run(kind=RUN_KIND, at=at, parameters={"batch_id": batch.pk}, by=by)
    batch.run = run
    batch.save(update_fields=["run"])
    return run


def _check(kind: str, options: dict[str, Any], uploaded: Any) -> None:
    errors: dict[str, ValidationError] = {}
    if kind not in FORMATS:
        known = ", ".join(FORMATS)
        errors["kind"] = ValidationError(
            _("Expected one of %(known)s.") % {"known": known}, code="unknown_format"
        )
    try:
        ZoneInfo(options["time_zone"])
    except (ZoneInfoNotFoundError, ValueError, OSError):
        errors["time_zone"] = ValidationError(_("This is no known time zone."), code="time_zone")
    channel = options["channel"]
    if not 1 <= len(channel) <= 24 or not channel.isprintable():
        errors["channel"] = ValidationError(_("Expected 1 to 24 characters."), code="channel")
    if uploaded is not None and uploaded.size > MOST_UPLOAD_BYTES:
        most = MOST_UPLOAD_BYTES >> 20
        errors["file"] = ValidationError(
            _("The file is larger than %(most)d MB.") % {"most": most}, code="too_large"
        )
    if errors:
        raise ValidationError(errors)


def drop_file(batch: ImportBatch) -> None:
    """Forget our copy of the file, once the transaction is committed."""
    if batch.file:
        transaction.on_commit(partial(batch.file.storage.delete, batch.file.name))
        batch.file = ""
        batch.save(update_fields=["file"])


def purge_trials(*, at: datetime) -> int:
    """Forget the files of trials that nobody imported within a week; return how many."""
    old = ImportBatch.objects.exclude(file="").filter(
        preset__startswith=PRESET, state=State.DRY_RUN, created_at__lt=at - TRIAL_KEPT
    )
    count = 0
    for batch in old:
        drop_file(batch)
        count += 1
    return count
