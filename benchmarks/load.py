"""Stock under load: many writers on few rows, beside a bare loop of the same statements in one run.

    python -m benchmarks.load [--database-url postgres://…] [--part ledger,approvals]
        [--writers 32] [--seconds 5] [--rounds 3] --out DIR

Parts, each in a scratch database that is made for it and removed again:

* ``ledger``: writers post single movements on one product and on 200; ours and the bare loop take turns.
  Reported: movements a second, their ratio, the longest wait, errors, and the drift between what was
  acknowledged, the balances and the ledger. On PostgreSQL the writers are threads of as many processes
  as there are processors; on SQLite 32 threads of one process, then 8 processes.
* ``approvals``: one planner approves 200 suggestions in bulk; then 16 approvers decide 200 others at the
  same time, which must make 200 order lines.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.scratch import scratch_installation

ROOT = Path(__file__).resolve().parent.parent
PLENTY = 50_000_000
START_IN_SECONDS = 4.0  # long enough for every process to have loaded Django


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--database-url", default="", help="PostgreSQL server; default: SQLite")
    parser.add_argument("--part", default="ledger,approvals")
    parser.add_argument("--writers", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    parts = {"ledger": measure_ledger, "approvals": measure_approvals}
    report: dict[str, Any] = {
        "engine": "postgresql" if arguments.database_url else "sqlite",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} vCPU, {platform.machine()}",
        "load_average": os.getloadavg()[0],
    }
    for name in arguments.part.split(","):
        with scratch_installation(arguments.database_url):
            _migrate()
            report[name] = parts[name](arguments)
            print(json.dumps({name: report[name]}, indent=1))
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        path = arguments.out / f"load_{report['engine']}.json"
        path.write_text(json.dumps(report, indent=1) + "\n")


def _migrate() -> None:
    import django
    from django.core.management import call_command

    django.setup()
    from django.db import connections

    connections.close_all()
    call_command("migrate", verbosity=0)


# --- ledger -------------------------------------------------------------------------------------
def measure_ledger(arguments: argparse.Namespace) -> dict[str, Any]:
    warehouse, products = _stocked_products(200)
    engine = "postgresql" if arguments.database_url else "sqlite"
    cores = os.cpu_count() or 1
    shapes = {"postgresql": {f"{cores} processes": cores},
              "sqlite": {"1 process": 1, "8 processes": 8}}[engine]  # fmt: skip
    figures: dict[str, Any] = {}
    for label, processes in shapes.items():
        for case, chosen in (("1 product", products[:1]), ("200 products", products)):
            turns: dict[str, list[dict[str, Any]]] = {"ours": [], "bare": []}
            for number in range(arguments.rounds):
                for way, rows in turns.items():
                    rows.append(_race(way, engine, processes, chosen, warehouse, number, arguments))
            figures[f"{case}, {arguments.writers} writers in {label}"] = _summary(turns)
    return figures


def _race(
    way: str, engine: str, processes: int, products: list[int], warehouse: int, number: int,
    arguments: argparse.Namespace,
) -> dict[str, Any]:  # fmt: skip
    before = _books(products, warehouse)
    task = {
        "way": way, "engine": engine, "threads": arguments.writers // processes,
        "seconds": arguments.seconds, "products": products, "warehouse": warehouse,
        "round": number, "start_at": time.time() + START_IN_SECONDS,
    }  # fmt: skip
    command = [sys.executable, "-m", "benchmarks.load_writers", json.dumps(task)]
    running = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for _n in range(processes)
    ]
    found = [json.loads(process.communicate()[0]) for process in running]
    posted = sum(one["posted"] for one in found)
    after = _books(products, warehouse)
    errors: Counter[str] = Counter()
    for one in found:
        errors.update(one["errors"])
    waits = sorted(wait for one in found for wait in one["waits"])
    return {
        "per_second": round(posted / arguments.seconds, 1),
        "p50_ms": round(waits[len(waits) // 2] * 1000, 1),
        "p99_ms": round(waits[int(len(waits) * 0.99)] * 1000, 1),
        "worst_s": round(waits[-1], 2),
        "errors": dict(errors),
        # what was acknowledged, what left the balances, what the ledger says
        "drift": abs(before[0] - after[0] - posted) + abs(before[1] - after[1] - posted),
    }


def _summary(turns: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    ratios = [
        round(ours["per_second"] / bare["per_second"], 3)
        for ours, bare in zip(turns["ours"], turns["bare"], strict=True)
    ]
    return {
        **turns,
        "ratios": ratios,
        "median_ratio": round(statistics.median(ratios), 3),
        "drift": sum(row["drift"] for row in turns["ours"]),
        "errors": sum(sum(row["errors"].values()) for row in turns["ours"]),
        "worst_wait_s": max(row["worst_s"] for row in turns["ours"]),
    }


def _stocked_products(count: int) -> tuple[int, list[int]]:
    from django.utils import timezone

    from catalog.models import Product
    from inventory.models import Warehouse
    from inventory.services.ledger import open_ledger

    warehouse = Warehouse.objects.create(code="BENCH", name="Bench")
    products = Product.objects.bulk_create(
        [Product(sku=f"B-{n:04d}", name=f"B-{n:04d}", unit_cost=1) for n in range(count)]
    )
    open_ledger(
        warehouse=warehouse, balances={row.pk: PLENTY for row in products}, at=timezone.now()
    )
    return warehouse.pk, [row.pk for row in products]


def _books(products: list[int], warehouse: int) -> tuple[int, int]:
    """What the balances and what the ledger say is there."""
    from django.db.models import Sum

    from inventory.models import StockLevel, StockMovement

    chosen = {"product_id__in": products, "warehouse_id": warehouse}
    levels = StockLevel.objects.filter(**chosen).aggregate(total=Sum("on_hand"))["total"]
    ledger = StockMovement.objects.filter(**chosen).aggregate(total=Sum("quantity"))["total"]
    return levels, ledger


# --- approvals ----------------------------------------------------------------------------------
def measure_approvals(arguments: argparse.Namespace) -> dict[str, Any]:
    from django.utils import timezone

    from inventory.models import PurchaseOrderLine
    from inventory.services.bulk import bulk_decide

    approvers = _approvers(16)
    first = _suggestions(200)
    began = time.perf_counter()
    results = bulk_decide(versions=first, action="approve", by=approvers[0], at=timezone.now())
    seconds = time.perf_counter() - began
    lines_of_one = PurchaseOrderLine.objects.count()
    # only now: a new set of proposals supersedes what is still open of the last one
    second = _suggestions(200, first=200)
    began = time.perf_counter()
    outcomes = _all_at_once(approvers, second)
    return {
        "one_planner_seconds": round(seconds, 2),
        "one_planner": dict(Counter(row.outcome for row in results)),
        "lines": lines_of_one,
        "sixteen_approvers_seconds": round(time.perf_counter() - began, 2),
        "sixteen_approvers": dict(Counter(outcomes)),
        "lines_of_their_200": PurchaseOrderLine.objects.count() - lines_of_one,
    }


def _all_at_once(approvers: list[Any], versions: dict[int, int]) -> list[str]:
    from django.db import connections
    from django.utils import timezone

    from inventory.services.bulk import bulk_decide

    outcomes: list[str] = []
    start = threading.Barrier(len(approvers))

    def decide(person: Any) -> None:
        start.wait(30)
        rows = bulk_decide(versions=versions, action="approve", by=person, at=timezone.now())
        outcomes.extend(row.outcome for row in rows)
        connections.close_all()

    threads = [threading.Thread(target=decide, args=(person,)) for person in approvers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def _approvers(count: int) -> list[Any]:
    from django.contrib.auth.models import Group, User

    from config.roles import setup_roles
    from inventory.models import UserScope

    setup_roles(currencies=["EUR"])
    people = [User.objects.create(username=f"approver-{n}") for n in range(count)]
    for person in people:
        person.groups.add(Group.objects.get(name="approver"))
        UserScope.objects.create(user=person)
    return people


def _suggestions(count: int, first: int = 0) -> dict[int, int]:
    """Open suggestions of five suppliers: id → version."""
    from decimal import Decimal

    from django.utils import timezone

    from catalog.models import Product, Supplier, SupplierProduct
    from inventory.models import Suggestion, Warehouse
    from inventory.services.suggestions import OrderProposal, propose_orders

    at = timezone.now()
    warehouse, _made = Warehouse.objects.get_or_create(code="BENCH", defaults={"name": "Bench"})
    suppliers = [
        Supplier.objects.get_or_create(code=f"S-{n}", defaults={"name": f"S-{n}"})[0]
        for n in range(5)
    ]
    proposals = []
    for number in range(first, first + count):
        supplier = suppliers[number % 5]
        product = Product.objects.create(sku=f"A-{number:04d}", name="A", unit_cost=Decimal(3))
        SupplierProduct.objects.create(
            supplier=supplier, product=product, lead_time_days=9, unit_cost=Decimal(3)
        )
        proposals.append(
            OrderProposal(
                product_id=product.pk,
                warehouse_id=warehouse.pk,
                supplier_id=supplier.pk,
                kind="buy",
                suggested_quantity=12,
                unit_cost=Decimal(3),
                currency="EUR",
                min_order_quantity=1,
                order_multiple=1,
                urgency="today",
                confidence="high",
                order_by=at.date(),
                expected_on=at.date(),
                stockout_on=None,
                on_hand=0,
                on_order=0,
                days_of_cover=None,
                expected_lost_margin=Decimal(1),
                why="",
                origin="benchmark",
                uses_assumed_facts=False,
                rationale={},
            )
        )
    known = set(Suggestion.objects.values_list("id", flat=True))
    propose_orders(proposals=proposals, run_id=1, at=at)
    rows = Suggestion.objects.exclude(id__in=known)
    return dict(rows.values_list("id", "version"))


if __name__ == "__main__":
    main()
