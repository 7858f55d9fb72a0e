"""The life of one import: created, staging, published, finished; or failed and cleaned away."""

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.core.files import File
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from catalog.models import Product, Run
from inventory.engine.sales_files import PRESETS, FileRefused
from inventory.engine.sales_files.reading import file_type
from inventory.models import ImportBatch
from inventory.services.imports.facts import record_promotions
from inventory.services.imports.master_data import PIECE, remove_rows, remove_unused
from inventory.services.imports.texts import refusal_text
from inventory.services.imports.writers import Fence

RUN_KIND = "import.sales"
REMOVE_PIECE = 20_000
State = ImportBatch.State


@transaction.atomic
def create_batch(
    *,
    preset: str,
    at: datetime,
    uploaded: Any = None,
    path: str = "",
    options: dict[str, Any] | None = None,
    dry_run: bool = False,
    by: Any = None,
) -> ImportBatch:
    """Take a file in. The caller enqueues the run ``import.sales`` with ``{"batch_id": batch.pk}``.

    Args:
        preset: a key of `inventory.engine.sales_files.PRESETS`.
        uploaded: a file from a form; its bytes are kept under ``MEDIA_ROOT/imports``. Or:
        path: a file on this machine, read where it lies.
        options: see `inventory.services.imports.execution.cleaning_options`.

    Raises:
        ValidationError: an unknown preset, or a name that ends in no known type.
    """
    if preset not in PRESETS:
        raise ValidationError(
            _("“%(preset)s” is no preset; choose one of %(presets)s."),
            code="unknown_preset",
            params={"preset": preset, "presets": ", ".join(PRESETS)},
        )
    name = str(uploaded.name if uploaded is not None else path).rsplit("/", 1)[-1]
    try:
        file_type(name)
    except FileRefused as refused:
        raise ValidationError(refusal_text(refused), code=refused.code) from refused
    batch = ImportBatch(
        preset=preset, file_name=name[:200], by=by, created_at=at,
        options={**(options or {}), "dry_run": dry_run, "path": path},
    )  # fmt: skip
    if uploaded is not None:
        batch.file.save(
            name, uploaded if isinstance(uploaded, File) else File(uploaded), save=False
        )
    batch.save()
    return batch


def begin_staging(*, batch: ImportBatch, at: datetime, fence: Fence) -> None:
    """Clear what crashed imports have left behind and claim the one place where rows are staged.

    Raises:
        ValidationError: another import is at work.
    """
    for other in ImportBatch.objects.filter(_unpublished_with_rows()).select_related("run"):
        if other.pk != batch.pk and is_alive(other, at=at):
            raise ValidationError(
                _("Another import (%(file)s) is at work; wait until it is done."),
                code="import_running",
                params={"file": other.file_name},
            )
        clear(batch=other, fence=fence, error=other.error or _("Interrupted; taken back."))
    batch.refresh_from_db()
    with fence():
        batch.state, batch.error, batch.staged = State.STAGING, "", {"rows": True}
        batch.save(update_fields=["state", "error", "staged"])


def _unpublished_with_rows() -> Q:
    return Q(state=State.STAGING) | (Q(state=State.FAILED) & ~Q(staged={}))


def is_alive(batch: ImportBatch, *, at: datetime) -> bool:
    """Whether a worker holds the run of this import right now."""
    run = batch.run
    return (
        run is not None
        and run.state == Run.State.RUNNING
        and run.lease_until is not None
        and run.lease_until > at
    )


def clear(*, batch: ImportBatch, fence: Fence, error: str) -> None:
    """Take back all that an unpublished import has written; mark it failed."""
    removed = 1
    while removed:
        with fence():
            removed = remove_rows(batch=batch, limit=REMOVE_PIECE)
    with fence():
        remove_unused(staged=batch.staged)
        batch.state, batch.staged, batch.error = State.FAILED, {}, error
        batch.save(update_fields=["state", "staged", "error"])


def publish(
    *,
    batch: ImportBatch,
    report: dict[str, Any],
    at: datetime,
    fence: Fence,
    promotions: Any = None,
    product_ids: dict[str, int] | None = None,
) -> None:
    """Make all rows of the batch visible by one change of state."""
    with fence():
        if promotions is not None:
            count = record_promotions(promotions, product_ids or {})
            report["created"] = {**report["created"], "promotions": count}
        products = batch.staged.get("products", [])
        for start in range(0, len(products), PIECE):
            Product.objects.filter(pk__in=products[start : start + PIECE]).update(is_sellable=True)
        batch.state, batch.published_at = State.PUBLISHED, at
        batch.report, batch.staged = report, {}
        batch.save(update_fields=["state", "published_at", "report", "staged"])
