"""The admin of runs and keys calls the services, and shows a secret once."""

import re
from datetime import UTC, datetime
from io import StringIO

import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from catalog.models import ApiKey, Run
from catalog.services import api_keys, runs
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db(databases="__all__")

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def root(client):
    user = UserFactory(username="root", is_staff=True, is_superuser=True)
    client.force_login(user)
    return user


@pytest.fixture
def operator(client):
    """May look at runs and keys and issue keys, no more."""
    user = UserFactory(username="operator", is_staff=True)
    user.user_permissions.add(
        *Permission.objects.filter(codename__in=["view_run", "view_apikey", "add_apikey"])
    )
    client.force_login(user)
    return user


def act(client, model, action, *rows):
    data = {"action": action, "_selected_action": [row.pk for row in rows]}
    return client.post(reverse(f"admin:catalog_{model}_changelist"), data, follow=True)


def test_runs_are_cancelled_and_started_again_by_the_services(client, root):
    run = runs.enqueue_run(kind="housekeeping", at=NOW)
    act(client, "run", "cancel", run)
    run.refresh_from_db()
    assert (run.state, run.error) == ("cancelled", "Cancelled by root.")
    page = act(client, "run", "cancel", run)
    assert "Only a queued or running run can be cancelled." in page.content.decode()
    act(client, "run", "start_again", run)
    run.refresh_from_db()
    assert (run.state, run.requested_by) == ("queued", root)


def test_who_may_only_look_cannot_cancel(client, operator):
    run = runs.enqueue_run(kind="housekeeping", at=NOW)
    act(client, "run", "cancel", run)
    run.refresh_from_db()
    assert run.state == "queued"


def test_nobody_edits_a_run_by_hand(client, root):
    run = runs.enqueue_run(kind="housekeeping", at=NOW)
    address = reverse("admin:catalog_run_change", args=[run.pk])
    assert client.get(address).status_code == 200
    assert client.post(address, {"state": "succeeded"}).status_code == 403
    assert Run.objects.get().state == "queued"


def test_a_new_key_shows_its_secret_once_and_works(client, root):
    data = {"name": "storefront", "user": root.pk, "scopes": ["events:write"]}
    page = client.post(reverse("admin:catalog_apikey_add"), data, follow=True).content.decode()
    [secret] = re.findall(r"pk_[a-z0-9]{10}_[\w-]{43}", page)
    key = api_keys.find_key(text=secret, at=timezone.now())
    assert key is not None
    assert (key.name, key.scopes) == ("storefront", ["events:write"])
    assert secret not in client.get(reverse("admin:catalog_apikey_changelist")).content.decode()

    act(client, "apikey", "revoke", key)
    assert api_keys.find_key(text=secret, at=timezone.now()) is None


def test_nobody_issues_a_key_with_more_rights_than_the_own(client, operator):
    stronger = UserFactory(username="stronger", is_superuser=True)
    data = {"name": "x", "user": stronger.pk, "scopes": ["events:write"]}
    client.post(reverse("admin:catalog_apikey_add"), data)
    assert not ApiKey.objects.exists()
    client.post(reverse("admin:catalog_apikey_add"), {**data, "user": operator.pk})
    assert ApiKey.objects.get().user == operator


def test_the_command_prints_a_key_that_works():
    UserFactory(username="shop")
    out = StringIO()
    call_command(
        "create_api_key", "storefront", "--user", "shop", "--scope", "events:write", stdout=out
    )
    assert api_keys.find_key(text=out.getvalue().strip(), at=timezone.now()) is not None
    with pytest.raises(CommandError, match="nobody"):
        call_command("create_api_key", "x", "--user", "nobody", "--scope", "events:write")


@pytest.mark.parametrize("model", ["run", "workerheartbeat", "idempotencyrecord", "apikey"])
def test_lists_open(client, root, model):
    assert client.get(reverse(f"admin:catalog_{model}_changelist")).status_code == 200
