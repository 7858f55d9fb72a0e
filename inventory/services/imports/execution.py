"""One import from the file to the finished books."""

import contextlib
import time
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from inventory.engine.sales_files import (
    CleanedSales,
    CleaningOptions,
    FileRefused,
    ReadLimits,
    clean_file,
)
from inventory.engine.sales_files.reading import sha256_of
from inventory.engine.sales_files.rules import KEEPABLE
from inventory.models import ImportBatch, Warehouse
from inventory.services.imports import batches
from inventory.services.imports.finishing import Progress, finish
from inventory.services.imports.known import count_known
from inventory.services.imports.master_data import ensure_master_data
from inventory.services.imports.report import first_report
from inventory.services.imports.staging import stage_rows
from inventory.services.imports.texts import refusal_text
from inventory.services.imports.writers import Fence

if TYPE_CHECKING:
    from catalog.services.run_context import RunContext

State = ImportBatch.State
UPLOAD_LIMITS = ReadLimits(max_inflated_bytes=512 << 20, max_rows=5_000_000)
READ_SHARE, STAGE_SHARE = 0.15, 0.5  # of the progress bar; finishing has the rest


def execute_import(context: "RunContext") -> dict[str, Any]:
    """Executor of the run kind ``import.sales``; parameters: ``{"batch_id": ...}``."""
    batch = ImportBatch.objects.get(pk=context.parameters["batch_id"])
    with context.fenced():
        batch.run = context.run
        batch.save(update_fields=["run"])
    return run_import(batch=batch, at=context.at, fence=context.fenced, progress=context.progress)


def run_import(
    *,
    batch: ImportBatch,
    at: datetime,
    fence: Fence = transaction.atomic,
    progress: Progress = lambda fraction, note: None,
) -> dict[str, Any]:
    """Import the batch's file; return its report. Published work is finished, not repeated.

    Raises:
        ValidationError: the file is refused, or another import is at work. Nothing of it stays.
    """
    began = time.perf_counter()
    _finish_earlier(batch, at, fence)
    if batch.state != State.PUBLISHED:
        _import_rows(batch, at, fence, progress)
    if batch.state == State.PUBLISHED and batch.finished_at is None:
        start = READ_SHARE + STAGE_SHARE
        finish(batch=batch, at=at, fence=fence, progress=_part(progress, start, 1.0))
        with fence():
            seconds = {**batch.report.get("seconds", {})}
            seconds["total"] = round(time.perf_counter() - began, 2)
            batch.report = {**batch.report, "seconds": seconds}
            batch.save(update_fields=["report"])
    report: dict[str, Any] = batch.report
    return report


def _import_rows(batch: ImportBatch, at: datetime, fence: Fence, progress: Progress) -> None:
    began = time.perf_counter()
    progress(0.0, "reading")
    try:
        cleaned = read_batch(batch, at)
    except FileRefused as refused:
        text = refusal_text(refused)
        _fail(batch, text, fence)
        raise ValidationError(text, code=refused.code) from refused
    report = first_report(cleaned)
    seconds = {"read": round(time.perf_counter() - began, 2)}
    report["seconds"] = seconds
    batch.rows_read = cleaned.rows_read
    progress(READ_SHARE, "checked")
    if batch.options.get("dry_run"):
        report["known"] = count_known(cleaned)
        with fence():
            batch.state, batch.report = State.DRY_RUN, report
            batch.save(update_fields=["state", "report", "rows_read", "sha256"])
        return
    with fence():
        batch.save(update_fields=["rows_read", "sha256"])
    began = time.perf_counter()
    batches.begin_staging(batch=batch, at=at, fence=fence)
    with _cleared_on_error(batch, fence):
        with fence():
            master = ensure_master_data(cleaned=cleaned, batch=batch)
        written = _row_counter(cleaned, _part(progress, READ_SHARE, READ_SHARE + STAGE_SHARE))
        created = stage_rows(
            cleaned=cleaned, batch=batch, master=master, fence=fence, written=written
        )
        seconds["stage"] = round(time.perf_counter() - began, 2)
        report["returns"] = {
            name: created.pop(name)
            for name in ("returns_linked", "returns_unlinked", "cancellations")
        }
        report["created"] = created | {name: len(ids) for name, ids in master.created.items()}
        report["known"] = {
            "sales": len(cleaned.sales) - created["sales"],
            "returns": len(cleaned.returns) - created["returns"],
        }
        batches.publish(
            batch=batch, report=report, at=at, fence=fence, promotions=cleaned.promotions,
            product_ids=master.products,
        )  # fmt: skip


def read_batch(batch: ImportBatch, at: datetime) -> CleanedSales:
    """Read and clean the batch's file, without writing anything but its hash."""
    path = Path(batch.file.path) if batch.file else Path(batch.options["path"])
    if not path.is_file():
        raise ValidationError(
            _("The file %(name)s is not there any more."),
            code="file_gone",
            params={"name": batch.file_name},
        )
    batch.sha256 = sha256_of(path)
    return clean_file(
        path,
        preset=batch.preset,
        options=cleaning_options(batch.options, at=at),
        file_name=batch.file_name,
        limits=UPLOAD_LIMITS if batch.file else None,
        encoding=batch.options.get("encoding") or "utf-8",
    )


def cleaning_options(options: dict[str, Any], *, at: datetime) -> CleaningOptions:
    """``ImportBatch.options`` -> the engine's options.

    Keys, all optional: ``keep`` (list of reasons), ``until`` ("YYYY-MM-DD"), ``warehouse``, ``currency``,
    ``channel``, ``time_zone``, ``date_format``, ``encoding``, ``hash_customers``, ``open_ledger``.

    Raises:
        ValidationError: an unknown reason, a day that is none, an unknown time zone.
    """
    keep = frozenset(options.get("keep") or ())
    if keep - KEEPABLE:
        raise ValidationError(
            _("Rows set aside as %(reasons)s cannot be kept; possible: %(possible)s."),
            code="not_keepable",
            params={
                "reasons": ", ".join(sorted(keep - KEEPABLE)),
                "possible": ", ".join(sorted(KEEPABLE)),
            },
        )
    try:
        until = date.fromisoformat(options["until"]) if options.get("until") else None
    except ValueError as error:
        raise ValidationError(
            _("“%(day)s” is no day; write it as 2024-12-31."),
            code="until",
            params={"day": options["until"]},
        ) from error
    zone = options.get("time_zone") or ""
    try:
        ZoneInfo(zone or "UTC")
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValidationError(
            _("“%(zone)s” is no known time zone."), code="time_zone", params={"zone": zone}
        ) from error
    return CleaningOptions(
        keep=keep,
        until=until,
        warehouse=options.get("warehouse") or "",
        currency=(options.get("currency") or "").upper(),
        channel=options.get("channel") or "",
        time_zones=dict(Warehouse.objects.values_list("code", "time_zone")),
        time_zone=zone,
        date_format=options.get("date_format") or "",
        hash_customers=bool(options.get("hash_customers")),
        pseudonym=pseudonym,
        today=at.date(),
    )


def pseudonym(customer: str) -> str:
    """A key from which nobody without our secret key can tell the customer; the same every time."""
    return "h-" + salted_hmac("granary.customer", customer, algorithm="sha256").hexdigest()[:40]


def _finish_earlier(batch: ImportBatch, at: datetime, fence: Fence) -> None:
    """Finish imports whose worker stopped between publication and end."""
    unfinished = ImportBatch.objects.filter(state=State.PUBLISHED, finished_at=None)
    for other in unfinished.exclude(pk=batch.pk).select_related("run").order_by("pk"):
        if not batches.is_alive(other, at=at):
            finish(batch=other, at=at, fence=fence, progress=lambda fraction, note: None)


@contextlib.contextmanager
def _cleared_on_error(batch: ImportBatch, fence: Fence) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        # best effort: where even this fails (lost lease), the next import clears
        batch.refresh_from_db()
        batches.clear(batch=batch, fence=fence, error=f"{type(error).__name__}: {error}")
        raise


def _fail(batch: ImportBatch, text: str, fence: Fence) -> None:
    with fence():
        batch.state, batch.error = State.FAILED, text
        batch.save(update_fields=["state", "error", "sha256"])


def _part(progress: Progress, start: float, end: float) -> Progress:
    return lambda fraction, note: progress(start + (end - start) * min(fraction, 1.0), note)


def _row_counter(cleaned: CleanedSales, progress: Progress) -> Callable[[int], None]:
    total = max(len(cleaned.sales) + len(cleaned.returns), 1)
    done = 0

    def written(count: int) -> None:
        nonlocal done
        done += count
        progress(done / total, f"{done:,} / {total:,}")

    return written
