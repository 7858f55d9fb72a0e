"""Databases of their own, writers that are killed, and the account that is taken afterwards."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CLIENT = Path(__file__).with_name("client.py")
PG_BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
STOCK = 1_000_000


class Installation:
    """A Granary with an empty database, driven from outside as its operators do."""

    def __init__(self, folder, database_url=""):
        self.folder = folder
        self.environment = {
            **os.environ,
            "GRANARY_VAR": str(folder),
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "DATABASE_URL": database_url,
        }
        self.journals = []

    def manage(self, *arguments):
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        return done.stdout

    def python(self, code):
        """Run code in the installation's shell; the last line it prints is JSON."""
        return json.loads(self.manage("shell", "--no-imports", "-c", code).splitlines()[-1])

    def open_stock(self):
        return self.python(
            f"""
import json
from django.utils import timezone
from django.contrib.auth.models import Group, User
from catalog.models import Product
from config.roles import setup_roles
from inventory.models import UserScope, Warehouse
from inventory.services.ledger import open_ledger
setup_roles()
user = User.objects.create(username="shop")
user.groups.add(Group.objects.get(name="shop"))
UserScope.objects.create(user=user)
warehouse = Warehouse.objects.create(code="MAIN", name="Main")
product = Product.objects.create(sku="MUG-1", name="Mug", unit_cost=3)
open_ledger(warehouse=warehouse, balances={{product.pk: {STOCK}}}, at=timezone.now())
print(json.dumps({{"product": product.pk, "warehouse": warehouse.pk}}))
"""
        )

    def start_client(self, name, **task):
        journal = self.folder / f"{name}.journal"
        self.journals.append(journal)
        arguments = json.dumps({"name": name, "journal": str(journal), **task})
        return subprocess.Popen(
            [sys.executable, str(CLIENT), arguments],
            cwd=ROOT, env=self.environment, start_new_session=True,
        )  # fmt: skip

    def asked(self, word):
        """Keys that the journals hold under ``ask`` or ``done``."""
        return {
            line.split()[1]
            for journal in self.journals
            if journal.exists()
            for line in journal.read_text().splitlines()
            if line.startswith(word + " ")
        }

    def effects(self, verb):
        """Key → how often it took effect: ledger rows, or shipped orders with just one movement."""
        return self.python(EFFECTS[verb])

    def settle(self, verb, keys, stock):
        """Ask again for what has no acknowledgement, with the same keys."""
        client = self.start_client("settle", verb=verb, keys=sorted(keys), **stock)
        assert client.wait(120) == 0


EFFECTS = {
    "movement": """
import json
from collections import Counter
from inventory.models import StockMovement
keys = StockMovement.objects.filter(kind="sale").values_list("idempotency_key", flat=True)
print(json.dumps(Counter(keys)))
""",
    "order": """
import json
from collections import Counter
from inventory.models import CustomerOrder, StockMovement
moved = Counter(StockMovement.objects.filter(kind="sale").values_list("document", flat=True))
orders = CustomerOrder.objects.filter(state="shipped")
assert set(moved) <= {str(order) for order in orders}
print(json.dumps({order.order_ref: moved[str(order)] for order in orders}))
""",
}


def wait_until(condition, seconds=60):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.05)


def kill_group(process):
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)


@pytest.fixture
def sqlite_installation(tmp_path):
    installation = Installation(tmp_path)
    installation.manage("migrate", "--verbosity", "0")
    return installation


class PostgresServer:
    """A server of our own, so that killing it harms nobody else."""

    def __init__(self):
        self.binaries = PG_BINARIES[-1]
        # not below pytest's own folder: every session of pytest closes that to other users again
        self.folder = Path(tempfile.mkdtemp(prefix="granary-pg-"))
        self.data = self.folder / "data"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        # the server refuses to run as root
        self.user = []
        if os.getuid() == 0:
            self.user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]
            shutil.chown(self.folder, "postgres", "postgres")
        self.run("initdb", "-D", self.data, "-A", "trust", "-U", "granary", "--no-sync")

    @property
    def url(self):
        return f"postgres://granary@127.0.0.1:{self.port}/postgres"

    def run(self, program, *arguments, check=True):
        command = [*self.user, str(self.binaries / program), *map(str, arguments)]
        return subprocess.run(
            command, check=check, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60,
            cwd="/",
        )  # fmt: skip

    def start(self):
        options = f"-p {self.port} -k /tmp -c listen_addresses=127.0.0.1"
        # a killed server leaves its lock file; the first start after it may come too early
        for _attempt in range(60):
            done = self.run(
                "pg_ctl", "-D", self.data, "-o", options, "-w", "-t", "30", "-l",
                self.data / "server.log", "start", check=False,
            )  # fmt: skip
            if done.returncode == 0:
                return
            time.sleep(0.5)
        raise AssertionError((self.data / "server.log").read_text()[-2000:])

    def processes(self):
        lock = (self.data / "postmaster.pid").read_text().split()
        children = subprocess.run(
            ["pgrep", "-P", lock[0]], capture_output=True, text=True
        ).stdout.split()
        return [int(pid) for pid in [lock[0], *children]]

    def kill(self):
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def stop(self):
        self.run("pg_ctl", "-D", self.data, "-m", "immediate", "stop", check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture
def postgres_server():
    if not PG_BINARIES:
        pytest.skip("no PostgreSQL server programs on this machine")
    server = PostgresServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def postgres_installation(postgres_server, tmp_path):
    installation = Installation(tmp_path / "var", postgres_server.url)
    installation.folder.mkdir()
    installation.manage("migrate", "--verbosity", "0")
    return installation
