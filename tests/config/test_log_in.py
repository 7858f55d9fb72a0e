"""Log-in: pages are private, wrong passwords are counted, production refuses a careless set-up."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from axes.utils import reset
from django.urls import reverse

from tests.factories import UserFactory

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def user(db, settings):
    settings.AXES_ENABLED = True
    yield UserFactory(username="alice")
    reset()


def log_in(client, password, address="10.0.0.1", username="alice"):
    data = {"username": username, "password": password}
    return client.post(reverse("login"), data, REMOTE_ADDR=address)


def test_a_page_sends_a_stranger_to_the_log_in(client):
    answer = client.get(reverse("today"))
    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("login"))


def test_the_right_password_opens_the_day(client, user):
    answer = log_in(client, "correct horse battery")
    assert (answer.status_code, answer["Location"]) == (302, reverse("today"))
    assert client.post(reverse("logout")).status_code == 302
    assert client.get(reverse("today"))["Location"].startswith(reverse("login"))


def test_five_wrong_passwords_lock_this_name_from_this_address_only(client, user, settings):
    for _attempt in range(settings.AXES_FAILURE_LIMIT - 1):
        assert log_in(client, "wrong").status_code == 200
    assert log_in(client, "wrong").status_code == 429
    assert log_in(client, "correct horse battery").status_code == 429
    assert log_in(client, "correct horse battery", address="10.0.0.2").status_code == 302


def test_without_the_counter_guessing_goes_on(client, user, settings):
    settings.AXES_ENABLED = False
    for _attempt in range(settings.AXES_FAILURE_LIMIT + 2):
        assert log_in(client, "wrong").status_code == 200
    assert log_in(client, "correct horse battery").status_code == 302


def check(tmp_path, *arguments, **environment):
    keep = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, "manage.py", "check", *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env={**keep, "GRANARY_VAR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "config.settings", **environment},
    )  # fmt: skip


GOOD_KEY = "n5Yt0w2vQ8r7Lz3Xc6Vb9Nm1As4Df5Gh8Jk2Lp0Oi7Uy6Tr3Ew1Q"


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({}, "needs SECRET_KEY"),
        ({"SECRET_KEY": "short"}, "needs SECRET_KEY"),
        ({"SECRET_KEY": "change-me" + GOOD_KEY}, "needs SECRET_KEY"),
        ({"SECRET_KEY": GOOD_KEY, "DEBUG": "true"}, "refuses DEBUG"),
    ],
)
def test_production_refuses_a_weak_key_and_debug(tmp_path, environment, message):
    answer = check(tmp_path, PRODUCTION="true", **environment)
    assert answer.returncode != 0
    assert message in answer.stderr


def test_production_with_a_key_passes_the_deployment_checks(tmp_path):
    answer = check(
        tmp_path, "--deploy", "--fail-level", "WARNING",
        PRODUCTION="true", SECRET_KEY=GOOD_KEY, ALLOWED_HOSTS="granary.example",
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    assert not (tmp_path / "secret_key").exists()


def test_the_first_start_makes_a_key_that_only_its_owner_reads(tmp_path):
    assert check(tmp_path).returncode == 0
    key = tmp_path / "secret_key"
    assert len(key.read_text()) > 50
    assert key.stat().st_mode & 0o777 == 0o600


def test_a_folder_that_cannot_be_written_and_a_short_lease_are_named(tmp_path):
    (tmp_path / "file").touch()
    answer = check(tmp_path, ARTIFACT_ROOT=str(tmp_path / "file" / "models"), RUN_LEASE_SECONDS="1")
    assert answer.returncode == 1
    assert "config.E001" in answer.stderr
    assert "config.E003" in answer.stderr
