"""The report of an import, as stored in ``ImportBatch.report`` and shown by pages and command."""

from typing import Any

from inventory.engine.sales_files import CleanedSales
from inventory.engine.sales_files.cleaned import IMPORTED
from inventory.services.imports.texts import fault_text, reason_label

SCHEMA = 1


def first_report(cleaned: CleanedSales) -> dict[str, Any]:
    """What cleaning found. JSON with the keys

    * ``schema``: 1
    * ``rows_read``: rows of the file without the heading (preset m5: days of all series)
    * ``rows``: ``[{"code", "kind": "imported" | "set_aside" | "rejected", "rows"}]``: every row read is in
      exactly one entry, so ``rows`` adds up to ``rows_read``; labels: `texts.reason_label`
    * ``rejected``: the first broken rows, ``[{"line", "column", "code", "value"}]``; the line counts from
      1 with the heading; text: `texts.fault_text`
    * ``period``: ``{"from", "to"}``, demand days; ``currency``; ``notes``: ``{"prices_rounded": n}``

    and, added while the import goes on:

    * ``created``: new rows by kind: sales, returns, announced, products, customers, regions, warehouses,
      categories, prices, promotions; ``known``: sales, returns that were there before
    * ``returns``: ``{"returns_linked", "returns_unlinked", "cancellations"}`` among the file's returns
    * ``assumed``: ``{"assumed_costs", "assumed_suppliers", "list_prices", "opening_units",
      "openings": {warehouse code: time}}``
    * ``ledger``: ``{"posted", "discrepancies"}`` for sales that fall into a running ledger
    * ``seconds``: ``{"read", "stage", "finish", "total"}``
    """
    days = [table["day"] for table in (cleaned.sales, cleaned.returns) if len(table)]
    period = {}
    if days:
        first, last = min(day.min() for day in days), max(day.max() for day in days)
        period = {"from": first.date().isoformat(), "to": last.date().isoformat()}
    return {
        "schema": SCHEMA,
        "rows_read": cleaned.rows_read,
        "rows": [
            {"code": code, "kind": _kind(code), "rows": count}
            for code, count in sorted(cleaned.counts.items(), key=_importance)
        ],
        "rejected": [
            {"line": row.line, "column": row.column, "code": row.code, "value": row.value}
            for row in cleaned.rejected
        ],
        "period": period,
        "currency": cleaned.currency,
        "notes": dict(cleaned.notes),
    }


def _kind(code: str) -> str:
    if code in IMPORTED:
        return "imported"
    return "rejected" if code == "rejected" else "set_aside"


def _importance(item: tuple[str, int]) -> tuple[int, int]:
    code, count = item
    return (("imported", "set_aside", "rejected").index(_kind(code)), -count)


def report_lines(report: dict[str, Any]) -> list[str]:
    """The report as lines of text, for the command."""
    rows = [(str(reason_label(row["code"])), row["kind"], row["rows"]) for row in report["rows"]]
    width = max([len(label) for label, _kind_, _rows in rows] + [20])
    lines = [f"{label:<{width}}  {kind:<9}  {count:>12,}" for label, kind, count in rows]
    lines.append(f"{'':<{width}}  {'rows read':<9}  {report['rows_read']:>12,}")
    for row in report["rejected"][:10]:
        column = f"{row['column']} " if row["column"] else ""
        lines.append(f"  line {row['line']}: {column}{fault_text(row['code'])} ({row['value']!r})")
    return lines
