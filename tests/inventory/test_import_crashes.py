"""An import that dies by kill -9 loses nothing, doubles nothing and is cleaned away or finished."""

import os
import signal
import subprocess
import sys
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from catalog.models import Product, Run
from catalog.services.runs import enqueue_run
from inventory.models import DemandDay, ImportBatch, Sale, StockMovement, Warehouse
from inventory.services.imports import RUN_KIND, create_batch
from tests.inventory.sales_files import AT, FEBRUARY, JANUARY, import_rows, write_csv

pytestmark = [pytest.mark.ml, pytest.mark.django_db(transaction=True)]

KILLED = """
import os, signal, sys
from contextlib import contextmanager
import django
from django.conf import settings
settings.DATABASES["default"]["NAME"] = sys.argv[1]
django.setup()
from datetime import datetime, UTC
from django.db import transaction
from inventory.models import ImportBatch
from inventory.services.imports import run_import, writers
writers.FIRST_PIECE = {"sqlite": 2, "postgresql": 2}
pieces = int(sys.argv[3])
batch = ImportBatch.objects.get(pk=sys.argv[2])
def progress(fraction, note):
    global pieces
    if "/" in note:
        pieces -= 1
        if pieces == 0:
            os.kill(os.getpid(), signal.SIGKILL)
    elif note == sys.argv[4]:
        os.kill(os.getpid(), signal.SIGKILL)
run_import(batch=batch, at=datetime(2010, 2, 1, 12, tzinfo=UTC), progress=progress)
"""


def killed_import(path, *, pieces=99, note=""):
    """Import in a process of its own that dies by SIGKILL in the middle."""
    batch = create_batch(preset="online-retail", at=AT, path=str(path))
    name = connection.settings_dict["NAME"]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(name), str(batch.pk), str(pieces), note],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}, check=False, timeout=120,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    return batch


def test_kill_9_while_staging_loses_and_doubles_nothing(tmp_path):
    path = write_csv(tmp_path / "sales.csv", JANUARY)
    dead = killed_import(path, pieces=1)
    dead.refresh_from_db()
    # the canary: rows of the dead import are there, and only `published()` keeps them out
    assert dead.state == "staging"
    assert Sale.objects.count() > 0
    assert not Sale.objects.published().exists()
    batch = import_rows(tmp_path, JANUARY)
    dead.refresh_from_db()
    assert dead.state == "failed"
    assert set(Sale.objects.values_list("batch", flat=True)) == {batch.pk}
    assert Sale.objects.published().count() == 4
    assert Product.objects.count() == 2
    assert sum(DemandDay.objects.values_list("quantity", flat=True)) == 20


@pytest.mark.parametrize("note", ["daily demand", "prices", "opening stock"])
def test_kill_9_after_publication_is_finished_by_the_next_import(tmp_path, note):
    path = write_csv(tmp_path / "sales.csv", JANUARY)
    dead = killed_import(path, note=note)
    dead.refresh_from_db()
    assert (dead.state, dead.finished_at) == ("published", None)
    assert Warehouse.objects.get().ledger_start is None
    import_rows(tmp_path, FEBRUARY[:1])
    dead.refresh_from_db()
    assert dead.finished_at is not None
    assert sum(DemandDay.objects.values_list("quantity", flat=True)) == 23
    assert Product.objects.get(sku="85049").unit_cost == Decimal("2.50")
    assert StockMovement.objects.filter(kind="opening", note="assumed").count() == 2


def test_an_import_at_work_is_not_swept_away(tmp_path):
    path = write_csv(tmp_path / "sales.csv", JANUARY)
    other = killed_import(path, pieces=1)
    run = enqueue_run(kind=RUN_KIND, at=AT, parameters={"batch_id": other.pk})
    Run.objects.filter(pk=run.pk).update(
        state="running", owner="worker", lease_until=AT + timedelta(minutes=1)
    )
    ImportBatch.objects.filter(pk=other.pk).update(run=run)
    with pytest.raises(ValidationError, match="is at work"):
        import_rows(tmp_path, JANUARY, at=AT)
    assert Sale.objects.filter(batch=other).exists()
    import_rows(tmp_path, JANUARY, at=AT + timedelta(minutes=2))
    assert not Sale.objects.filter(batch=other).exists()
    assert Sale.objects.published().count() == 4
