"""A database of our own for one benchmark: made, used, removed."""

import contextlib
import os
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def scratch_installation(url: str) -> Iterator[None]:
    """Point GRANARY_VAR to an empty folder and DATABASE_URL to an empty database (no url: SQLite)."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["GRANARY_VAR"] = folder
        os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
        with scratch_database(url):
            yield


@contextlib.contextmanager
def scratch_database(url: str) -> Iterator[None]:
    if not url:
        os.environ.pop("DATABASE_URL", None)
        yield
        return
    import psycopg2

    name = f"granary_bench_{os.getpid()}"
    server = psycopg2.connect(url)
    server.autocommit = True
    with server.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")  # our own name and process number
        os.environ["DATABASE_URL"] = url.rsplit("/", 1)[0] + "/" + name
        try:
            yield
        finally:
            from django.db import connections

            connections.close_all()
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
    server.close()
