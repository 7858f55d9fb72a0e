"""kill -9 under load: nothing acknowledged is lost, and asking again with the same key settles the rest."""

import pytest

from tests.crashes.conftest import kill_group, wait_until

pytestmark = pytest.mark.worker


def settle(installation, stock):
    """Ask again for everything whose outcome is unknown; return keys acknowledged before, unknown, rows."""
    acknowledged = installation.asked("done")
    unknown = installation.asked("ask") - acknowledged
    before = installation.movements()
    for number, key in enumerate(sorted(unknown)):
        # the caller's own key: name-number, asked once more by a client that starts there
        installation.python(
            f"""
import json
from django.utils import timezone
from inventory.services.ledger import post_movement
post_movement(product_id={stock["product"]}, warehouse_id={stock["warehouse"]}, kind="sale",
              quantity=-1, at=timezone.now(), idempotency_key={key!r})
print(json.dumps({number}))
"""
        )
    return acknowledged, unknown, before, installation.movements()


def check(installation, stock):
    acknowledged, unknown, before, after = settle(installation, stock)
    assert len(acknowledged) > 20, "there was no load"
    assert acknowledged <= set(before), "an acknowledged movement is missing"
    assert set(after) == acknowledged | unknown
    assert set(after.values()) == {1}
    installation.manage("verify_ledger")
    return unknown, before


def run_writers_and_kill_them(installation, rounds):
    stock = installation.open_stock()
    for number in range(rounds):
        clients = [
            installation.start_client(f"r{number}c{n}", verb="movement", patient=True, **stock)
            for n in range(3)
        ]
        already = len(installation.asked("done"))
        wait_until(lambda floor=already: len(installation.asked("done")) > floor + 60)
        for client in clients:
            kill_group(client)
    return check(installation, stock)


def test_killed_writers_on_sqlite(sqlite_installation):
    run_writers_and_kill_them(sqlite_installation, rounds=1)


@pytest.mark.slow
def test_killed_writers_on_sqlite_many_times(sqlite_installation):
    run_writers_and_kill_them(sqlite_installation, rounds=16)


def kill_the_server_under_load(server, installation, kills):
    """The writers live on and come back with their keys; the server dies under them."""
    stock = installation.open_stock()
    clients = [
        installation.start_client(f"c{n}", verb="movement", patient=True, **stock) for n in range(4)
    ]
    for _kill in range(kills):
        floor = len(installation.asked("done"))
        wait_until(lambda floor=floor: len(installation.asked("done")) > floor + 100)
        server.kill()
        server.start()
    floor = len(installation.asked("done"))
    wait_until(lambda: len(installation.asked("done")) > floor + 20)  # they go on by themselves
    for client in clients:
        assert client.poll() is None, "a writer gave up"
        kill_group(client)
    return check(installation, stock)


@pytest.mark.postgres
def test_killed_postgresql(postgres_server, postgres_installation):
    kill_the_server_under_load(postgres_server, postgres_installation, kills=2)


@pytest.mark.postgres
@pytest.mark.slow
def test_killed_postgresql_many_times(postgres_server, postgres_installation):
    kill_the_server_under_load(postgres_server, postgres_installation, kills=12)


@pytest.mark.postgres
def test_canary_a_server_that_does_not_wait_for_its_disk_loses_acknowledged_writes(
    postgres_server, postgres_installation
):
    """synchronous_commit=off acknowledges before the log is written: the same check must notice."""
    postgres_installation.python(
        """
import json
from django.db import connection
connection.cursor().execute("ALTER SYSTEM SET synchronous_commit = off")
connection.cursor().execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
connection.cursor().execute("SELECT pg_reload_conf()")
print(json.dumps(1))
"""
    )
    stock = postgres_installation.open_stock()
    clients = [
        postgres_installation.start_client(f"c{n}", verb="movement", **stock) for n in range(4)
    ]
    wait_until(lambda: len(postgres_installation.asked("done")) > 200)
    postgres_server.kill()
    for client in clients:
        client.wait(30)
    postgres_server.start()
    acknowledged = postgres_installation.asked("done")
    assert acknowledged - set(postgres_installation.movements())
