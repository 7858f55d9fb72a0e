"""Counts as their readers may see them: in scope, and blind as long as they are blind."""

from typing import Any

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from inventory.models import StockCount, StockCountLine, StockDiscrepancy, Warehouse
from inventory.selectors.scope import Scope

APPROVE = "inventory.approve_stockcount"


def stock_counts(*, scope: Scope, user: Any) -> QuerySet[StockCount]:
    """Counts of warehouses in scope, with ``line_count``, ``counted_count`` and ``was_counted_by_user``.

    Who sees only some categories or suppliers sees the counts that hold at least one of their products;
    the two figures are of the whole count.
    """
    rows = scope.restrict(
        StockCount.objects.select_related("warehouse", "created_by", "submitted_by", "approved_by"),
        product=None,
    )
    if scope.category_ids is not None or scope.supplier_ids is not None:
        mine = scope.restrict(StockCountLine.objects.filter(count=OuterRef("pk")), warehouse=None)
        rows = rows.filter(Exists(mine))
    figures = StockCountLine.objects.filter(count=OuterRef("pk"))
    return rows.annotate(
        line_count=_number_of(figures),
        counted_count=_number_of(figures.filter(counted_quantity__isnull=False)),
        was_counted_by_user=Exists(figures.filter(counted_by_id=user.pk)),
    ).order_by("-id")


def count_lines(*, scope: Scope, count: StockCount) -> QuerySet[StockCountLine]:
    """The lines of a count whose products are in scope, by SKU."""
    rows = count.lines.select_related("product", "counted_by", "movement")
    return scope.restrict(rows, warehouse=None).order_by("product__sku")


def shows_books(count: StockCount, user: Any) -> bool:
    """Whether this person may see what the books say on this count.

    A blind count shows it to nobody while it is being counted; while it waits, to those who may decide it
    and have not counted it; then, posted, to all.
    """
    if not count.is_blind or count.state == StockCount.State.POSTED:
        return True
    if count.state != StockCount.State.AWAITING_APPROVAL or not user.has_perm(APPROVE):
        return False
    if hasattr(count, "was_counted_by_user"):  # as stock_counts reads it
        behind = {count.created_by_id, count.submitted_by_id}
        return not count.was_counted_by_user and user.pk not in behind
    return user.pk not in people_behind(count)


def people_behind(count: StockCount) -> set[int]:
    """Who made, counted or submitted it."""
    people = {count.created_by_id, count.submitted_by_id}
    people.update(
        count.lines.filter(counted_quantity__isnull=False)
        .order_by()
        .values_list("counted_by_id", flat=True)
        .distinct()
    )
    return {pk for pk in people if pk is not None}


def _number_of(lines: QuerySet[StockCountLine]) -> Coalesce:
    counted = lines.order_by().values("count").annotate(number=Count("pk")).values("number")
    return Coalesce(Subquery(counted), 0)


def discrepancies(*, scope: Scope) -> QuerySet[StockDiscrepancy]:
    """Differences between books and shelf that somebody has to look into, the newest first."""
    rows = StockDiscrepancy.objects.select_related("product", "warehouse", "resolved_by")
    return scope.restrict(rows).order_by("-id")


def periods(*, scope: Scope) -> QuerySet[Warehouse]:
    """Warehouses in scope with ``open_count_number``: how many counts of theirs are not posted yet.

    Of the counts that the reader may see, as in ``stock_counts``.
    """
    unposted = Q(
        stock_counts__state__in=(StockCount.State.OPEN, StockCount.State.AWAITING_APPROVAL)
    )
    if scope.category_ids is not None or scope.supplier_ids is not None:
        lines = scope.restrict(StockCountLine.objects.all(), warehouse=None)
        unposted &= Q(stock_counts__in=lines.values("count"))
    rows = scope.restrict(Warehouse.objects.all(), product=None, warehouse="")
    return rows.annotate(open_count_number=Count("stock_counts", filter=unposted)).order_by(
        F("ledger_start").asc(nulls_last=True), "code"
    )
