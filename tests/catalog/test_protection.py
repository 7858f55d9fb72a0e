"""Constraints that are gone are named, and nothing starts on a database that does not keep its rules."""

import os
import shutil
import subprocess
import sys
from contextlib import closing
from io import StringIO

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection, connections, transaction

from catalog.guards import drop_guards, missing_guards
from catalog.guards.constraints import missing_constraints
from catalog.guards.declarations import BalanceMatches
from config.startup import EX_CONFIG, missing_protection

BALANCE = "guard_inventory_stockmovement_balance"


@pytest.mark.django_db
def test_the_migrated_database_has_every_constraint():
    assert missing_constraints(connection) == []
    assert missing_protection() == []


DROPPED = {
    "unique": ('ALTER TABLE inventory_stocklevel DROP CONSTRAINT "one_stock_level"', "inventory_stocklevel: one_stock_level"),
    "check": ('ALTER TABLE inventory_stocklevel DROP CONSTRAINT "on_hand_not_negative"', "inventory_stocklevel: on_hand_not_negative"),
    "check of a field": ('ALTER TABLE inventory_stocklevel DROP CONSTRAINT "inventory_stocklevel_reserved_check"', "inventory_stocklevel: check (reserved)"),
    "partial unique": ('DROP INDEX "one_active_reservation_per_line"', "inventory_reservation: one_active_reservation_per_line"),
    "primary key": ("ALTER TABLE inventory_ledgerseal DROP CONSTRAINT inventory_ledgerseal_pkey CASCADE", "inventory_ledgerseal: primary key (id)"),
    "not valid": ("ALTER TABLE inventory_stocklevel DROP CONSTRAINT on_hand_not_negative; ALTER TABLE inventory_stocklevel ADD CONSTRAINT on_hand_not_negative CHECK (on_hand >= 0) NOT VALID", "on_hand_not_negative is not valid"),
}  # fmt: skip


@pytest.mark.postgres
@pytest.mark.django_db
@pytest.mark.parametrize("kind", DROPPED)
def test_a_dropped_constraint_is_named(kind):
    statement, name = DROPPED[kind]
    with connection.cursor() as cursor:
        cursor.execute(statement)
    assert name in missing_constraints(connection)


@pytest.mark.postgres
@pytest.mark.django_db
def test_a_dropped_foreign_key_and_unique_field_are_named():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conname, contype FROM pg_constraint WHERE contype IN ('f', 'u') "
            "AND conrelid = 'inventory_stockmovement'::regclass"
        )
        for name, _kind in cursor.fetchall():
            cursor.execute(f'ALTER TABLE inventory_stockmovement DROP CONSTRAINT "{name}" CASCADE')
    assert {
        "inventory_stockmovement: unique (idempotency_key)",
        "inventory_stockmovement: foreign key (product_id) to catalog_product",
        "inventory_stockmovement: foreign key (reverses_id) to inventory_stockmovement",
    } <= set(missing_constraints(connection))


@pytest.mark.django_db
def test_a_table_that_was_copied_without_its_constraints_is_named():
    copied = "catalog_exchangerate"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE copy_of_it AS SELECT * FROM {copied}")
        cursor.execute(f"DROP TABLE {copied}")
        assert f"table {copied}" in missing_constraints(connection)
        cursor.execute(f"ALTER TABLE copy_of_it RENAME TO {copied}")
        assert missing_constraints(connection) == [
            f"{copied}: {name}"
            for name in (
                "primary key (id)",
                "one_rate_per_day",
                "rate_positive",
                "rate_between_two",
            )
        ]
        transaction.set_rollback(True)


# --- nothing starts ------------------------------------------------------------------------------
@pytest.mark.django_db(databases="__all__")
@pytest.mark.parametrize("command", [["scheduler", "--once"], ["worker"], ["check_db_guards", "--starting"]])  # fmt: skip
def test_workers_refuse_to_start_and_say_why(command):
    drop_guards(connection, BalanceMatches)
    with pytest.raises(CommandError, match=BALANCE) as error:
        call_command(*command)
    assert error.value.returncode == EX_CONFIG


@pytest.mark.django_db(databases="__all__")
def test_a_sound_database_lets_them_start():
    call_command("check_db_guards", "--starting")
    call_command("scheduler", "--once")


@pytest.mark.worker
@pytest.mark.django_db(transaction=True, databases="__all__")
@pytest.mark.parametrize("server", ["web", "worker"])
def test_servers_end_with_the_names_of_what_is_missing(server, tmp_path):
    drop_guards(connection, BalanceMatches)
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings"}
    if connection.vendor == "sqlite":
        # a copy of the test database, in the place where an installation has its own
        for alias, name in (("default", "granary.sqlite3"), ("edge", "edge.sqlite3")):
            connections[alias].close()  # writes back what lies in the log beside the file
            shutil.copy(connections[alias].settings_dict["NAME"], tmp_path / name)
        environment |= {"GRANARY_VAR": str(tmp_path), "DATABASE_URL": ""}
    else:
        there = connection.settings_dict
        environment |= {
            "GRANARY_VAR": str(tmp_path),
            "DATABASE_URL": f"postgres://{there['USER']}:{there['PASSWORD']}@{there['HOST']}:{there['PORT']}/{there['NAME']}",
        }  # fmt: skip
    commands = {
        "web": ["-m", "gunicorn", "--config", "deploy/gunicorn.conf.py", "--bind", "127.0.0.1:0", "config.wsgi"],
        "worker": ["manage.py", "worker"],
    }  # fmt: skip
    try:
        ended = subprocess.run(
            [sys.executable, *commands[server]], cwd=settings.BASE_DIR, env=environment,
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
    finally:
        call_command("check_db_guards", "--install", stdout=StringIO())
    assert ended.returncode == EX_CONFIG, ended.stderr
    assert BALANCE in ended.stderr
    assert "does not start" in ended.stderr


# --- a partial restore ----------------------------------------------------------------------------
@pytest.fixture
def restored():
    """Dump this database (the whole, or only some tables), restore it beside, and connect to that."""
    there = connection.settings_dict
    name = f"{there['NAME']}_restored"
    server = ["-h", there["HOST"], "-p", str(there["PORT"] or 5432), "-U", there["USER"]]
    environment = {**os.environ, "PGPASSWORD": there["PASSWORD"]}

    def run(*command):
        return subprocess.run(command, env=environment, capture_output=True, check=False)

    def restore(*tables):
        chosen = [part for table in tables for part in ("-t", table)]
        run("dropdb", *server, "--if-exists", name)
        run("createdb", *server, name)
        dump = run("pg_dump", *server, "-Fc", *chosen, there["NAME"]).stdout
        subprocess.run(
            ["pg_restore", *server, "-d", name], input=dump, env=environment,
            capture_output=True, check=False,
        )  # fmt: skip
        copy = connection.copy()
        copy.settings_dict["NAME"] = name
        return closing(copy)

    yield restore
    run("dropdb", *server, "--if-exists", name)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_partial_restore_is_noticed_and_a_whole_one_is_sound(restored):
    if shutil.which("pg_dump") is None:
        pytest.skip("needs pg_dump")
    with restored("inventory_stockmovement", "inventory_stocklevel") as partial:
        assert BALANCE in missing_guards(partial)
        missing = missing_constraints(partial)
        assert "table inventory_warehouse" in missing
        assert "inventory_stocklevel: foreign key (warehouse_id) to inventory_warehouse" in missing
    with restored() as whole:
        assert missing_guards(whole) == []
        assert missing_constraints(whole) == []
