"""Opening stock of a large shop as a file: checked and applied by `manage.py import_table`.

    python -m benchmarks.load_opening [--database-url postgres://…] [--rows 1000000] [--warehouses 10] --out DIR

Half the work is checking each row against the catalogue, half is writing ledger rows with their balances
and guards. The same file again must change nothing; then the whole ledger is verified.
"""

import argparse
import csv
import json
import os
import platform
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.scratch import scratch_installation

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--database-url", default="", help="PostgreSQL server; default: SQLite")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--warehouses", type=int, default=10)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    with scratch_installation(arguments.database_url):
        report = measure(arguments)
    print(json.dumps(report, indent=1))
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        path = arguments.out / f"load_opening_{report['engine']}.json"
        path.write_text(json.dumps(report, indent=1) + "\n")


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    path = Path(os.environ["GRANARY_VAR"]) / "opening_stock.csv"
    _write_file(path, _catalogue(arguments.rows // arguments.warehouses, arguments.warehouses))
    first, again = _import(path), _import(path)
    from django.db import connection

    from inventory.models import StockMovement

    return {
        "engine": connection.vendor,
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} vCPU, {platform.machine()}",
        "load_average": os.getloadavg()[0],
        "rows": arguments.rows,
        "movements": StockMovement.objects.count(),
        "seconds": first["seconds"],
        "counts": first["counts"],
        "same_file_again_seconds": again["seconds"],
        "same_file_again": again["counts"],
        "verify_ledger_seconds": _verify(),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024),
    }


def _catalogue(products: int, warehouses: int) -> tuple[list[str], list[str]]:
    from django.contrib.auth.models import User

    from catalog.models import Product
    from inventory.models import Warehouse

    User.objects.create_superuser("bench")
    skus = [f"SKU-{number:06d}" for number in range(products)]
    codes = [f"W{number:02d}" for number in range(warehouses)]
    Product.objects.bulk_create(
        [Product(sku=sku, name=sku, unit_cost=3) for sku in skus], batch_size=5000
    )
    Warehouse.objects.bulk_create([Warehouse(code=code, name=code) for code in codes])
    return skus, codes


def _write_file(path: Path, catalogue: tuple[list[str], list[str]]) -> None:
    skus, codes = catalogue
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["sku", "warehouse", "quantity"])
        for number, sku in enumerate(skus):
            for place, code in enumerate(codes):
                writer.writerow([sku, code, (number * 7 + place) % 50 + 1])


def _import(path: Path) -> dict[str, Any]:
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "manage.py", "import_table", "opening_stock", str(path), "--by", "bench",
         "--apply", "--json", "--opens-at", "2026-01-01T00:00:00Z"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return {
        "seconds": round(time.perf_counter() - began, 1),
        "counts": json.loads(done.stdout.splitlines()[-1]),
    }


def _verify() -> float:
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "manage.py", "verify_ledger"], cwd=ROOT, capture_output=True, check=True
    )
    return round(time.perf_counter() - began, 1)


if __name__ == "__main__":
    main()
