"""kill -9 under load: nothing acknowledged is lost, and asking again with the same key settles the rest."""

import pytest

from tests.crashes.conftest import kill_group, wait_until

pytestmark = pytest.mark.worker


def check(installation, verb, stock):
    acknowledged = installation.asked("done")
    unknown = installation.asked("ask") - acknowledged
    assert len(acknowledged) > 10, "there was no load"
    assert acknowledged <= set(installation.effects(verb)), "something acknowledged is missing"
    if unknown:
        installation.settle(verb, unknown, stock)
    effects = installation.effects(verb)
    assert set(effects) == acknowledged | unknown
    assert set(effects.values()) == {1}
    installation.manage("verify_ledger")


def run_writers_and_kill_them(installation, rounds, verb="movement", each=60):
    stock = installation.open_stock()
    for number in range(rounds):
        clients = [
            installation.start_client(f"r{number}c{n}", verb=verb, patient=True, **stock)
            for n in range(3)
        ]
        floor = len(installation.asked("done")) + each
        wait_until(lambda floor=floor: len(installation.asked("done")) > floor)
        for client in clients:
            kill_group(client)
    check(installation, verb, stock)


def test_killed_writers_on_sqlite(sqlite_installation):
    run_writers_and_kill_them(sqlite_installation, rounds=1)


def test_killed_shops_on_sqlite(sqlite_installation):
    """Place, pay, ship: wherever the shop dies, asking again brings the order to its end, once."""
    run_writers_and_kill_them(sqlite_installation, rounds=2, verb="order", each=10)


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["movement", "order"])
def test_killed_writers_on_sqlite_many_times(sqlite_installation, verb):
    run_writers_and_kill_them(sqlite_installation, rounds=16, verb=verb)


def kill_the_server_under_load(server, installation, kills, verb="movement", each=100):
    """The writers live on and come back with their keys; the server dies under them."""
    stock = installation.open_stock()
    clients = [
        installation.start_client(f"c{n}", verb=verb, patient=True, **stock) for n in range(4)
    ]
    for _kill in range(kills):
        floor = len(installation.asked("done")) + each
        wait_until(lambda floor=floor: len(installation.asked("done")) > floor)
        server.kill()
        server.start()
    floor = len(installation.asked("done"))
    wait_until(lambda: len(installation.asked("done")) > floor + 20)  # they go on by themselves
    for client in clients:
        assert client.poll() is None, "a writer gave up"
        kill_group(client)
    check(installation, verb, stock)


@pytest.mark.postgres
def test_killed_postgresql(postgres_server, postgres_installation):
    kill_the_server_under_load(postgres_server, postgres_installation, kills=2)


@pytest.mark.postgres
def test_killed_postgresql_under_shops(postgres_server, postgres_installation):
    kill_the_server_under_load(
        postgres_server, postgres_installation, kills=1, verb="order", each=20
    )


@pytest.mark.postgres
@pytest.mark.slow
@pytest.mark.parametrize("verb", ["movement", "order"])
def test_killed_postgresql_many_times(postgres_server, postgres_installation, verb):
    kill_the_server_under_load(postgres_server, postgres_installation, kills=12, verb=verb)


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
    assert acknowledged - set(postgres_installation.effects("movement"))
