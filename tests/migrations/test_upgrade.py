"""A database of the previous release comes along with its data, and can go back and forward again."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

SCRIPT = Path(__file__).with_name("upgrade.py")


@pytest.fixture
def scratch_environment(tmp_path):
    """An empty database of the engine that the suite runs on."""
    environment = {**os.environ, "GRANARY_VAR": str(tmp_path)}
    url = os.environ.get("DATABASE_URL", "")
    if not url:
        yield environment
        return
    import psycopg2

    name = f"granary_upgrade_{os.getpid()}"
    server = psycopg2.connect(url)
    server.autocommit = True
    with server.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
        yield {**environment, "DATABASE_URL": url.rsplit("/", 1)[0] + "/" + name}
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
    server.close()


def test_a_filled_database_goes_forward_back_and_forward(scratch_environment):
    done = subprocess.run(
        [sys.executable, str(SCRIPT)],
        cwd=settings.BASE_DIR, env={**scratch_environment, "DJANGO_SETTINGS_MODULE": "config.settings"},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    found = json.loads(done.stdout.splitlines()[-1])
    before = found["before"]
    assert before["movements"] == 40
    assert before["on_hand"] == before["in_the_ledger"] == 820
    assert before["orders"]["PO-3"] == "closed_short"
    for step in ("forward", "back", "again"):
        assert {name: found[step][name] for name in before} == before, step
    for step in ("forward", "again"):
        assert found[step]["missing_guards"] == []
        assert found[step]["ledger_problems"] == []
        assert found[step]["weeks"] == ["2026-11-16"]  # the Monday of the week it was made in
