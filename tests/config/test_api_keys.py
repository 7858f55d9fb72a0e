"""Keys and scopes: who may call an endpoint."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.core.exceptions import ValidationError
from django.utils import timezone

from catalog.api.permissions import HasScope
from catalog.models import ApiKey
from catalog.services import api_keys

pytestmark = [
    pytest.mark.django_db(databases="__all__"),
    pytest.mark.urls("tests.config.api_views"),
]


def test_a_key_authenticates_its_user_and_only_its_hash_is_stored(call, shop):
    assert call("echo", {"name": "a"}).status_code == 200
    key = ApiKey.objects.get()
    assert key.user == shop
    assert key.last_used_on == timezone.now().date()
    secret = call.secret.rsplit("_", 1)[-1]
    assert secret not in str(ApiKey.objects.values().get())


@pytest.mark.parametrize("spoil", ["wrong", "revoked", "expired", "inactive"])
def test_a_key_that_does_not_hold_is_refused(call, shop, spoil):
    text = call.secret
    if spoil == "wrong":
        text = text[:-1] + ("a" if text[-1] != "a" else "b")
    elif spoil == "revoked":
        api_keys.revoke_key(key_id=ApiKey.objects.get().pk, at=timezone.now())
    elif spoil == "expired":
        ApiKey.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    else:
        type(shop).objects.update(is_active=False)
    answer = call("echo", {"name": "a"}, key=text)
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_api_key")
    assert answer["WWW-Authenticate"] == "Api-Key"


def test_a_call_without_a_key_is_not_authenticated(call):
    answer = call("echo", {"name": "a"}, key=None)
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")


def test_a_scope_that_does_not_exist_is_refused(shop):
    with pytest.raises(ValidationError, match="everything"):
        api_keys.issue_key(name="x", user=shop, scopes=["everything"], at=timezone.now())
    with pytest.raises(ValueError, match="everything"):
        HasScope("everything")


def test_a_missing_scope_is_named(shop, call):
    _key, secret = api_keys.issue_key(
        name="narrow", user=shop, scopes=["stock:read"], at=timezone.now()
    )
    answer = call("echo", {"name": "a"}, key=secret)
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")
    assert "events:write" in answer.json()["detail"]


def test_a_missing_permission_of_the_user_is_named_and_differs_by_method(shop, call):
    assert "auth.view_group" in call("guarded", method="get").json()["detail"]
    shop.user_permissions.add(Permission.objects.get(codename="view_group"))
    assert call("guarded", method="get").status_code == 200
    answer = call("guarded", {})
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_permission")
    assert "auth.add_group" in answer.json()["detail"]
