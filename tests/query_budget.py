"""Query budgets: how many SQL queries a page may run, written down in architecture/query_counts.json.

    def test_stock_page_stays_within_its_budget(client, alice, many_products):
        client.force_login(alice)
        assert_query_budget(client, "stock")

A page that runs more queries than its budget fails, and so does a budget that is far above what the page needs.
"""

import json
from pathlib import Path
from typing import Any

from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

BUDGETS = Path(__file__).resolve().parent / "architecture" / "query_counts.json"
SLACK = 3  # PostgreSQL and SQLite differ by a savepoint or two


def budgets() -> dict[str, int]:
    counts: dict[str, int] = json.loads(BUDGETS.read_text(encoding="utf-8"))
    return counts


def assert_within_budget(key: str, queries: list[str]) -> None:
    """Compare the queries of one request with the budget of `key`."""
    known = budgets()
    used = len(queries)
    assert key in known, f'{BUDGETS.name} has no budget for "{key}"; it used {used} queries.'
    listing = "\n".join(f"{number:3}. {sql[:160]}" for number, sql in enumerate(queries, 1))
    assert used <= known[key], f"{key} used {used} queries, its budget is {known[key]}:\n{listing}"
    assert used + SLACK >= known[key], (
        f"{key} used {used} queries; lower its budget of {known[key]}."
    )


def assert_query_budget(
    client: Client,
    name: str,
    *,
    key: str = "",
    kwargs: dict[str, Any] | None = None,
    query: str = "",
) -> None:
    """Get the page called `name` and hold its queries against its budget (by `key`, else `name`)."""
    address = reverse(name, kwargs=kwargs) + (f"?{query}" if query else "")
    with CaptureQueriesContext(connections["default"]) as captured:
        answer = client.get(address)
    assert answer.status_code == 200, f"{address} answered {answer.status_code}"
    assert_within_budget(key or name, [entry["sql"] for entry in captured.captured_queries])
