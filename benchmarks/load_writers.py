"""Writers of the load benchmark: a process with threads that post movements as fast as they can.

    python -m benchmarks.load_writers '{"way": "ours", "threads": 16, "seconds": 5, …}'

Called by ``benchmarks.load``, once for each process, with the database in the environment. "ours" is
``post_movement``; "bare" sends the same statements (conditional balance, ledger row, unique key, all
guards in force) through the driver alone, with values that are ready. Prints one line of JSON.
"""

import json
import os
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any


def main() -> None:
    import django

    django.setup()
    task = json.loads(sys.argv[1])
    print(json.dumps(run_writers(task)))


def run_writers(task: dict[str, Any]) -> dict[str, Any]:
    """Run ``threads`` writers from ``start_at`` (seconds since 1970) for ``seconds``."""
    outcomes: list[dict[str, Any]] = [{} for _n in range(task["threads"])]

    def work(number: int) -> None:
        outcomes[number] = _work(task, number)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(task["threads"])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    errors: Counter[str] = Counter()
    for outcome in outcomes:
        errors.update(outcome["errors"])
    waits = sorted(wait for outcome in outcomes for wait in outcome["waits"])
    return {"posted": sum(outcome["posted"] for outcome in outcomes), "errors": errors,
            "waits": waits}  # fmt: skip


def _work(task: dict[str, Any], number: int) -> dict[str, Any]:
    post = _OPENERS[task["way"], task["engine"]]()
    products, warehouse = task["products"], task["warehouse"]
    errors: Counter[str] = Counter()
    waits, posted, step = [], 0, 0
    name = f"{task['way']}-{task['round']}-{os.getpid()}-{number}"
    time.sleep(max(0.0, task["start_at"] - time.time()))
    until = time.perf_counter() + task["seconds"]
    while (began := time.perf_counter()) < until:
        step += 1
        # each writer walks through the products from a place of its own
        product = products[(number * 7 + step) % len(products)]
        try:
            post(product, warehouse, f"{name}-{step}")
            posted += 1
        except Exception as error:  # noqa: BLE001 - whatever went wrong is a figure of the report
            errors[f"{type(error).__name__}: {str(error)[:60]}"] += 1
        waits.append(round(time.perf_counter() - began, 5))
    return {"posted": posted, "errors": errors, "waits": waits}


Post = Callable[[int, int, str], None]


def _ours() -> Post:
    from inventory.services.ledger import post_movement

    at = datetime.now(UTC)

    def post(product: int, warehouse: int, key: str) -> None:
        post_movement(
            product_id=product, warehouse_id=warehouse, kind="sale", quantity=-1, at=at,
            idempotency_key=key,
        )  # fmt: skip

    return post


def _bare_postgresql() -> Post:
    import psycopg2

    from inventory.services.ledger_statements import _IN_ONE

    connection = psycopg2.connect(os.environ["DATABASE_URL"])
    connection.autocommit = True
    cursor = connection.cursor()
    values = _ready_values(datetime.now(UTC))

    def post(product: int, warehouse: int, key: str) -> None:
        cursor.execute(_IN_ONE, {**values, "product": product, "warehouse": warehouse, "key": key})
        if not cursor.fetchall():
            raise RuntimeError("out of stock")

    return post


def _bare_sqlite() -> Post:
    import sqlite3

    from django.conf import settings

    from inventory.services.ledger_statements import _TAKE, _WRITE

    options = settings.DATABASES["default"]["OPTIONS"]
    connection = sqlite3.connect(
        settings.DATABASES["default"]["NAME"], timeout=options["timeout"], isolation_level=None
    )
    connection.executescript(options["init_command"])
    values = _ready_values(str(datetime.now(UTC).replace(tzinfo=None)))
    take, write = (re.sub(r"%\((\w+)\)s", r":\1", text) for text in (_TAKE, _WRITE))

    def post(product: int, warehouse: int, key: str) -> None:
        mine = {**values, "product": product, "warehouse": warehouse, "key": key}
        connection.execute("BEGIN IMMEDIATE")
        try:
            [(balance,)] = connection.execute(take, mine).fetchall()
            connection.execute(write, {**mine, "balance": balance}).fetchall()
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")

    return post


def _ready_values(at: Any) -> dict[str, Any]:
    return {
        "kind": "sale", "quantity": -1, "from_reserved": 0, "at": at, "recorded_at": at,
        "document": "", "by": None, "note": "", "reverses": None,
    }  # fmt: skip


_OPENERS: dict[tuple[str, str], Callable[[], Post]] = {
    ("ours", "postgresql"): _ours,
    ("ours", "sqlite"): _ours,
    ("bare", "postgresql"): _bare_postgresql,
    ("bare", "sqlite"): _bare_sqlite,
}

if __name__ == "__main__":
    main()
