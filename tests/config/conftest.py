"""A caller with a key, and a clock that stands still."""

import json

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from catalog.services import api_keys
from tests.factories import UserFactory

ALL_SCOPES = ["events:write", "stock:write", "stock:read"]


@pytest.fixture
def shop(db):
    return UserFactory()


@pytest.fixture
def call(shop):
    """Send JSON with a key that may do everything."""
    _key, secret = api_keys.issue_key(name="test", user=shop, scopes=ALL_SCOPES, at=timezone.now())

    def call(address, body=None, *, raw=None, key=secret, method="post", **headers):
        headers = {"Authorization": f"Api-Key {key}"} | headers if key else headers
        data = raw if raw is not None else json.dumps(body)
        return Client(raise_request_exception=False).generic(
            method.upper(), f"/api/v1/{address}/", data, "application/json", headers=headers
        )

    call.secret = secret
    return call


@pytest.fixture
def time_machine_at():
    with time_machine.travel("2026-03-01 12:00:15+00:00", tick=False) as traveller:
        yield traveller
