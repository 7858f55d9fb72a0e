"""Speed of the sales import beside the bare bulk statements of the same database, in one run.

    python -m benchmarks.imports --data FILE [--database-url postgres://…] [--rounds 3] --out DIR

Measures, in a scratch database that is made for it and removed again:

* the whole command `manage.py import_sales FILE` in a process of its own: seconds, peak memory, rows by
  reason; then the same file again (nothing may be added);
* writing the sale rows alone: ours (pieces under the fence of a run, conversion of columns included)
  against a bare statement into the same table with the same keys and indexes: on PostgreSQL one COPY of
  ready text to a temporary table and one INSERT … ON CONFLICT DO NOTHING, on SQLite one executemany of
  ready tuples, each in one transaction. The rounds alternate, each starts from the empty table.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.scratch import scratch_database

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--preset", default="online-retail")
    parser.add_argument("--database-url", default="", help="PostgreSQL server; default: SQLite")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["GRANARY_VAR"] = folder
        os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
        with scratch_database(arguments.database_url):
            report = _measure(arguments.data.resolve(), arguments.preset, arguments.rounds)
    _print(report)
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        path = arguments.out / f"import_{report['engine']}.json"
        path.write_text(json.dumps(report, indent=1) + "\n")


def _measure(path: Path, preset: str, rounds: int) -> dict[str, Any]:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    report: dict[str, Any] = {
        "engine": connection.vendor,
        "file": path.name,
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} vCPU, {platform.machine()}",
        "load_average": os.getloadavg()[0],
        "first": _run_command(path, preset),
        "again": _run_command(path, preset),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024),
    }
    if report["again"]["created"]["sales"] or report["again"]["created"]["returns"]:
        raise SystemExit("The second import of the same file added rows.")
    report["writing"] = _compare_writing(path, preset, rounds)
    return report


def _run_command(path: Path, preset: str) -> dict[str, Any]:
    began, busy = time.perf_counter(), os.times()
    done = subprocess.run(
        [sys.executable, "manage.py", "import_sales", str(path), "--preset", preset, "--json"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    seconds, after = time.perf_counter() - began, os.times()
    cpu = after.children_user + after.children_system - busy.children_user - busy.children_system
    if done.returncode:
        raise SystemExit(done.stderr)
    report = json.loads(done.stdout.splitlines()[-1])
    kept = ("rows_read", "rows", "created", "known", "returns", "seconds")
    times = {"command_seconds": round(seconds, 1), "cpu_seconds": round(cpu, 1)}
    return {**times, **{key: report[key] for key in kept}}


def _compare_writing(path: Path, preset: str, rounds: int) -> dict[str, Any]:
    """Both ways write the rows of the file into the emptied sale table, turn by turn."""
    from django.db import connection

    from inventory.models import ImportBatch
    from inventory.services.imports import create_batch
    from inventory.services.imports.execution import read_batch
    from inventory.services.imports.master_data import ensure_master_data
    from inventory.services.imports.staging import sale_rows

    at = datetime.now(UTC)
    batch = create_batch(preset=preset, at=at, path=str(path))
    cleaned = read_batch(batch, at)
    master = ensure_master_data(cleaned=cleaned, batch=batch)  # all of it is known by now
    ImportBatch.objects.filter(pk=batch.pk).update(staged={})
    rows = sale_rows(cleaned, batch, master)
    bare = _bare_copy if connection.vendor == "postgresql" else _bare_executemany
    prepared = bare(rows, None)
    ours, plain = [], []
    for _round in range(rounds):
        ours.append(_timed_on_empty_table(lambda: _write_ours(rows)))
        plain.append(_timed_on_empty_table(lambda: bare(rows, prepared)))
    figures: dict[str, Any] = {"rows": len(rows)}
    for position, clock in enumerate(("seconds", "cpu_seconds")):
        pairs = [
            (mine[position], theirs[position]) for mine, theirs in zip(ours, plain, strict=True)
        ]
        ratios = [theirs / mine for mine, theirs in pairs]
        figures |= {
            f"our_{clock}": [round(mine, 2) for mine, _theirs in pairs],
            f"bare_{clock}": [round(theirs, 2) for _mine, theirs in pairs],
            f"ratios_{clock}": [round(ratio, 3) for ratio in ratios],
            f"median_ratio_{clock}": round(statistics.median(ratios), 3),
        }
    return figures


def _timed_on_empty_table(write: Any) -> tuple[float, float]:
    """(seconds on the clock, processor seconds of this process: on SQLite that is all the work)."""
    from django.db import connection

    from inventory.models import Return, Sale

    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"TRUNCATE {Sale._meta.db_table}, {Return._meta.db_table}")
            cursor.execute("CHECKPOINT")
        else:
            cursor.execute(f"DELETE FROM {Return._meta.db_table}")  # noqa: S608
            cursor.execute(f"DELETE FROM {Sale._meta.db_table}")  # noqa: S608
            cursor.execute("VACUUM")
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    began, busy = time.perf_counter(), time.process_time()
    write()
    return time.perf_counter() - began, time.process_time() - busy


def _write_ours(rows: Any) -> None:
    from django.utils import timezone

    from catalog.services.run_context import RunContext
    from catalog.services.runs import claim_run, enqueue_run, finish_run
    from inventory.services.imports.writers import write_rows

    run = enqueue_run(kind="import.sales", at=timezone.now())
    claimed = claim_run(run_id=run.pk, owner="benchmark", at=timezone.now())
    assert claimed is not None
    if write_rows(rows, fence=RunContext(claimed).fenced) != len(rows):
        raise SystemExit("Ours did not write all rows.")
    finish_run(run=claimed, result={}, at=timezone.now())


def _bare_executemany(rows: Any, prepared: Any) -> Any:
    from django.db import connection, transaction

    from inventory.services.imports.writers import roomy_cache

    if prepared is None:
        lists = [column[0 : len(rows)].tolist() for column in rows.values]
        return list(zip(*lists, strict=True))
    marks = ", ".join(["?"] * len(rows.columns))
    with roomy_cache(), transaction.atomic():  # the same memory as ours has
        # the driver itself, without a layer between
        connection.connection.executemany(_insert(rows, f"VALUES ({marks})"), prepared)
    return None


def _bare_copy(rows: Any, prepared: Any) -> Any:
    import io

    from django.db import connection, transaction

    from inventory.services.imports.writers import csv_text

    if prepared is None:
        return csv_text(rows, 0, len(rows)).getvalue()
    columns = ", ".join(rows.columns)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TEMP TABLE bare_rows ON COMMIT DROP AS SELECT {columns} FROM {rows.table} "  # noqa: S608
            "WITH NO DATA"
        )
        cursor.copy_expert(
            f"COPY bare_rows ({columns}) FROM STDIN WITH (FORMAT csv)", io.BytesIO(prepared)
        )
        cursor.execute(_insert(rows, f"SELECT {columns} FROM bare_rows"))  # noqa: S608
    return None


def _insert(rows: Any, source: str) -> str:
    return (
        f"INSERT INTO {rows.table} ({', '.join(rows.columns)}) {source} "
        f"ON CONFLICT ({', '.join(rows.key)}) DO NOTHING"
    )


def _print(report: dict[str, Any]) -> None:
    first, again, writing = report["first"], report["again"], report["writing"]
    print(f"{report['engine']}, {report['file']}: {first['rows_read']:,} rows read")
    for entry in first["rows"]:
        print(f"  {entry['code']:<18} {entry['kind']:<10} {entry['rows']:>10,}")
    print(f"whole command {first['command_seconds']} s ({first['cpu_seconds']} s of processor)")
    print(f"  of which {first['seconds']}; peak memory {report['peak_memory_mb']} MB")
    print(
        f"again {again['command_seconds']} s ({again['cpu_seconds']} s of processor), nothing added"
    )
    # on PostgreSQL the work is done in another process
    clocks = ("seconds", "cpu_seconds") if report["engine"] == "sqlite" else ("seconds",)
    for clock in clocks:
        print(f"writing {writing['rows']:,} sale rows, {clock}: ours {writing[f'our_{clock}']}")
        print(f"  bare {writing[f'bare_{clock}']}, bare / ours {writing[f'ratios_{clock}']}")
        print(f"  median {writing[f'median_ratio_{clock}']}")
    print(f"load average at the start {report['load_average']:.1f}")


if __name__ == "__main__":
    main()
