"""What follows the publication of an import. Every step can be repeated, so a crash loses none."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Max, Sum

from catalog.services.defaults import planning_defaults
from inventory.models import DemandDay, ImportBatch, Return, Sale, Warehouse
from inventory.services.demand_days import rebuild_demand_days
from inventory.services.imports.facts import apply_stock_facts
from inventory.services.imports.prices import (
    assumed_supplier,
    fill_in_products,
    known_until,
    observed_prices,
    record_prices,
)
from inventory.services.imports.writers import Fence
from inventory.services.ledger import open_ledger
from inventory.services.sales import post_sales_of_batch

RECENT_DAYS = 56
PRODUCT_PIECE = 200
OPENING_PIECE = 400
Progress = Callable[[float, str], None]


def finish(*, batch: ImportBatch, at: datetime, fence: Fence, progress: Progress) -> None:
    """Move stock, refresh daily demand, fill in prices and assumptions, open ledgers.

    Sales that fall into a running ledger move stock first, so that stock-outs are seen by the demand days.
    Warehouses without a ledger get one at the end of their data: history moves no stock.
    """
    report = dict(batch.report)
    progress(0.0, "stock")
    moved = post_sales_of_batch(batch=batch, at=at, by=batch.by)
    report["ledger"] = {"posted": moved.created, "discrepancies": len(moved.discrepancies)}
    progress(0.1, "daily demand")
    apply_stock_facts(batch=batch, fence=fence)
    rebuild_demand_days(batch=batch)
    progress(0.5, "prices")
    created = {**report.get("created", {}), "prices": 0}
    assumed: dict[str, Any] = {}
    for share, prices, counts in _prices_and_assumptions(batch, fence, report["currency"]):
        created["prices"] += prices
        for name, count in counts.items():
            assumed[name] = assumed.get(name, 0) + count
        progress(0.5 + 0.3 * share, "prices")
    if batch.options.get("open_ledger", True):
        progress(0.8, "opening stock")
        assumed |= _open_ledgers(batch, fence)
    report |= {"created": created, "assumed": assumed}
    with fence():
        batch.report, batch.finished_at = report, at
        batch.save(update_fields=["report", "finished_at"])


def touched_products(batch: ImportBatch) -> list[int]:
    sales = Sale.objects.filter(batch=batch).order_by().values_list("product_id", flat=True)
    returns = Return.objects.filter(batch=batch).order_by().values_list("product_id", flat=True)
    return sorted({*sales.distinct(), *returns.distinct()})


def _prices_and_assumptions(
    batch: ImportBatch, fence: Fence, currency: str
) -> Iterator[tuple[float, int, dict[str, int]]]:
    product_ids = touched_products(batch)
    channels = list(
        Sale.objects.filter(batch=batch).order_by().values_list("channel", flat=True).distinct()
    )
    covered = known_until(batch=batch, channels=channels)
    with fence():
        defaults = planning_defaults(currency=currency)
        supplier = assumed_supplier(currency=currency, defaults=defaults)
    # beyond some hundred products one pass over all sales is quicker than looking each of them up
    is_bulk = len(product_ids) > 5 * PRODUCT_PIECE
    everything = observed_prices(None, channels) if is_bulk else {}
    for start in range(0, len(product_ids), PRODUCT_PIECE):
        piece = product_ids[start : start + PRODUCT_PIECE]
        members = set(piece)
        observed = (
            {key: months for key, months in everything.items() if key[0] in members}
            if is_bulk
            else observed_prices(piece, channels)
        )
        with fence():
            prices = record_prices(observed, currency=currency, covered=covered)
            counts = fill_in_products(piece, observed, defaults=defaults, supplier=supplier)
        yield (start + PRODUCT_PIECE) / len(product_ids), prices, counts


def _open_ledgers(batch: ImportBatch, fence: Fence) -> dict[str, Any]:
    plan = batch.staged.get("openings")
    if plan is None:
        plan = _plan_openings(batch)
        with fence():  # written down first: after a crash the same balances are posted again
            batch.staged = {**batch.staged, "openings": plan}
            batch.save(update_fields=["staged"])
    units, openings = 0, {}
    for code, opening in plan.items():
        warehouse = Warehouse.objects.get(code=code)
        opens_at = datetime.fromisoformat(opening["at"])
        for note, balances in opening["balances"].items():
            for piece in _pieces(sorted(balances.items()), OPENING_PIECE):
                with fence():
                    open_ledger(
                        warehouse=warehouse, balances={int(key): value for key, value in piece},
                        at=opens_at, by=batch.by, note=note,
                    )  # fmt: skip
            units += sum(balances.values())
        openings[code] = opening["at"]
    with fence():
        batch.staged = {}
        batch.save(update_fields=["staged"])
    return {"opening_units": units, "openings": openings}


def _plan_openings(batch: ImportBatch) -> dict[str, Any]:
    """Per warehouse without a ledger: when it opens (the midnight after its last day), with what."""
    warehouse_ids = (
        Sale.objects.filter(batch=batch).order_by().values_list("warehouse", flat=True).distinct()
    )
    plan: dict[str, Any] = {}
    for warehouse in Warehouse.objects.filter(pk__in=list(warehouse_ids), ledger_start=None):
        last = DemandDay.objects.filter(warehouse=warehouse).aggregate(last=Max("day"))["last"]
        until = batch.options.get("until")
        if until:
            last = max(last, date.fromisoformat(until))
        zone = ZoneInfo(warehouse.time_zone)
        opens = datetime.combine(last + timedelta(days=1), time(), tzinfo=zone).astimezone(UTC)
        plan[warehouse.code] = {"at": opens.isoformat(), "balances": _balances(warehouse, last)}
    return plan


def _balances(warehouse: Warehouse, last: date) -> dict[str, dict[int, int]]:
    """Opening units by product: known where the file told the stock, assumed from recent sales else."""
    days = DemandDay.objects.filter(warehouse=warehouse)
    recent = dict(
        days.filter(day__gt=last - timedelta(days=RECENT_DAYS))
        .order_by()
        .values_list("product_id")
        .annotate(total=Sum("quantity"))
    )
    counted = days.filter(on_hand__isnull=False, day__gt=last - timedelta(days=RECENT_DAYS))
    known = dict(counted.order_by("day").values_list("product_id", "on_hand"))
    cover_days = planning_defaults().opening_stock_days
    everything = days.order_by().values_list("product_id", flat=True).distinct()
    assumed = {
        product_id: (recent.get(product_id, 0) * cover_days + RECENT_DAYS // 2) // RECENT_DAYS
        for product_id in everything
        if product_id not in known
    }
    return {"assumed": assumed, "": known}


def _pieces(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
