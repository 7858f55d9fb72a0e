"""Writers of one process queue in order on SQLite: nobody starves, nobody sees "database is locked"."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import ConnectionHandler, connections, transaction
from django.db.utils import OperationalError

from config.settings import sqlite_database
from config.sqlite3.base import DatabaseWrapper
from config.sqlite3.fair_lock import FairLock, lock_for


@pytest.fixture
def databases(tmp_path, django_db_blocker):
    """Two files of their own, so that the tests need nothing of the test database."""
    handler = ConnectionHandler(
        {
            "default": sqlite_database(
                tmp_path / "a.sqlite3", synchronous="OFF", timeout_seconds=20
            ),
            "edge": sqlite_database(
                tmp_path / "b.sqlite3", synchronous="OFF", timeout_seconds=0.05
            ),
            "same": sqlite_database(tmp_path / "a.sqlite3", synchronous="OFF", timeout_seconds=0.2),
        }
    )
    with django_db_blocker.unblock():
        yield handler
        handler.close_all()


@contextmanager
def transaction_on(connection) -> Iterator[None]:
    """What transaction.atomic() does with the outermost block, for a handler of our own."""
    connection.ensure_connection()
    connection._start_transaction_under_autocommit()
    try:
        yield
    except BaseException:
        connection._rollback()
        raise
    connection._commit()


def run_threads(count, work):
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def make_counter(databases, alias="default"):
    with databases[alias].cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS counter (number INTEGER)")
        cursor.execute("INSERT INTO counter VALUES (0)")


def add_by_reading_and_writing(databases, errors, rounds):
    def work(_number):
        connection = databases["default"]
        try:
            for _round in range(rounds):
                with transaction_on(connection), connection.cursor() as cursor:
                    cursor.execute("SELECT number FROM counter")
                    [number] = cursor.fetchone()
                    time.sleep(0.001)
                    cursor.execute("UPDATE counter SET number = %s", [number + 1])
        except OperationalError as error:
            errors.append(str(error))
        finally:
            connection.close()

    return work


def test_many_threads_write_without_a_locked_database_and_lose_nothing(databases):
    make_counter(databases)
    errors = []
    run_threads(16, add_by_reading_and_writing(databases, errors, rounds=10))

    assert errors == []
    with databases["default"].cursor() as cursor:
        cursor.execute("SELECT number FROM counter")
        assert cursor.fetchone() == (160,)


def order_of_service(databases, monkeypatch, *, fair):
    """The order in which 8 writers are served that come 20 ms after one another while one holds the file."""
    monkeypatch.setattr(DatabaseWrapper, "uses_fair_lock", fair)
    make_counter(databases)
    served, free = [], threading.Event()

    def hold(_number):
        connection = databases["default"]
        with transaction_on(connection):
            free.wait(5)
        connection.close()

    def write(number):
        time.sleep(0.1 + 0.02 * number)
        connection = databases["default"]
        with transaction_on(connection):
            served.append(number)
            time.sleep(0.02)
        connection.close()

    holder = threading.Thread(target=hold, args=(0,))
    writers = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in (holder, *writers):
        thread.start()
    time.sleep(0.6)
    free.set()
    for thread in (holder, *writers):
        thread.join()
    return served


def test_writers_are_served_in_the_order_of_their_coming(databases, monkeypatch):
    assert order_of_service(databases, monkeypatch, fair=True) == list(range(8))


def test_without_the_queue_sqlite_serves_them_out_of_order(databases, monkeypatch):
    orders = [order_of_service(databases, monkeypatch, fair=False) for _attempt in range(3)]
    assert any(order != list(range(8)) for order in orders)


def test_opposite_order_on_two_files_ends_with_an_error_not_a_deadlock(databases):
    make_counter(databases, "default")
    make_counter(databases, "edge")
    both_hold_one = threading.Barrier(2)
    errors, done = [], []

    def work(number):
        first, second = ("default", "edge") if number else ("edge", "default")
        try:
            with transaction_on(databases[first]):
                both_hold_one.wait(5)
                with transaction_on(databases[second]):
                    done.append(number)
        except OperationalError as error:
            errors.append(str(error))
        finally:
            databases.close_all()

    started = time.monotonic()
    run_threads(2, work)
    assert time.monotonic() - started < 5
    assert done == [0]  # the one that waited for `edge` gave up after 50 ms, the other one went on
    assert len(errors) == 1
    assert "locked" in errors[0]


def test_a_second_alias_of_the_same_file_fails_after_its_timeout_and_not_never(databases):
    make_counter(databases)
    databases["same"].ensure_connection()
    with transaction_on(databases["default"]), pytest.raises(OperationalError, match="locked"):
        databases["same"]._start_transaction_under_autocommit()
    with transaction_on(databases["same"]):
        pass


def test_the_turn_comes_back_after_errors_and_closing(databases):
    make_counter(databases)
    connection = databases["default"]
    with pytest.raises(ZeroDivisionError), transaction_on(connection):
        raise ZeroDivisionError
    connection._start_transaction_under_autocommit()
    connection.close()
    with connection.cursor() as cursor, pytest.raises(OperationalError):
        cursor.execute("INSERT INTO no_such_table VALUES (1)")
    assert lock_for(str(connection.settings_dict["NAME"])).acquire(0)
    lock_for(str(connection.settings_dict["NAME"])).release()


@pytest.mark.django_db(transaction=True)
def test_nested_blocks_and_lone_writes_of_the_orm_keep_one_turn():
    from django.contrib.auth.models import User

    connection = connections["default"]
    if connection.vendor == "sqlite":
        assert isinstance(connection, DatabaseWrapper)
    with transaction.atomic():
        with transaction.atomic():
            User.objects.create(username="nested")
        User.objects.filter(username="nested").update(first_name="N")
    User.objects.filter(username="nested").update(first_name="M")
    assert User.objects.get().first_name == "M"
    assert not getattr(connection, "_has_turn", False)


def test_a_waiter_whose_time_is_over_leaves_the_queue():
    lock = FairLock()
    assert lock.acquire(0)
    assert not lock.acquire(0.01)
    assert lock.waiting == 0
    lock.release()
    assert lock.acquire(0)
