"""What every endpoint shares: keys, scopes, exact limits, repeated requests, strict JSON, one shape of error."""

import json
import threading
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connections, transaction
from django.test import Client
from django.urls import include, path
from django.utils import timezone
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from catalog.api import throttling
from catalog.api.idempotency import idempotent
from catalog.api.permissions import HasModelPermission, HasScope
from catalog.models import ApiKey, IdempotencyRecord, RequestCount
from catalog.services import api_keys, housekeeping, idempotency
from config.urls import handler404, handler500  # noqa: F401 - of the routes below
from inventory.exceptions import InvalidTransition, NotAllowed, StaleVersion
from tests.factories import UserFactory

pytestmark = [pytest.mark.django_db(databases="__all__"), pytest.mark.urls(__name__)]


class Line(serializers.Serializer):
    quantity = serializers.IntegerField(min_value=1)


class Body(serializers.Serializer):
    name = serializers.CharField(max_length=20)
    lines = Line(many=True, required=False)


class Echo(APIView):
    permission_classes = [HasScope("events:write")]
    throttle_scope = "events"

    def post(self, request):
        body = Body(data=request.data)
        body.is_valid(raise_exception=True)
        return Response(body.validated_data)


class Count(APIView):
    """Has an effect that can be counted."""

    permission_classes = [HasScope("stock:write")]

    @idempotent
    def post(self, request):
        group = Group.objects.create(name=request.data["name"])
        if request.data.get("fail"):
            raise ValidationError("Too late.", code="invalid")
        return Response({"group": group.pk}, status=201)


class Guarded(APIView):
    permission_classes = [HasModelPermission("auth.group", read="stock:read", write="stock:write")]

    def get(self, request):
        return Response({})

    post = get


class FailsOpen(Echo):
    throttle_fails_open = True


ERRORS = {
    "rule": lambda: ValidationError({"quantity": ValidationError("Too much.", code="too_much")}),
    "stale": lambda: StaleVersion(seen=1, current={"version": 2, "quantity": 7}),
    "transition": lambda: InvalidTransition(current="open", wanted="received"),
    "denied": lambda: NotAllowed("Only approvers.", permission="inventory.approve"),
    "plain": lambda: PermissionDenied(),
}


class Failing(APIView):
    permission_classes = [HasScope("stock:read")]

    def get(self, request, name):
        raise ERRORS[name]()


urlpatterns = [
    path("api/v1/echo/", Echo.as_view()),
    path("api/v1/open/", FailsOpen.as_view()),
    path("api/v1/count/", Count.as_view()),
    path("api/v1/guarded/", Guarded.as_view()),
    path("api/v1/failing/<name>/", Failing.as_view()),
    path("", include("config.urls")),
]
ALL_SCOPES = ["events:write", "stock:write", "stock:read"]


@pytest.fixture
def user(db):
    return UserFactory()


@pytest.fixture
def call(user):
    """Send JSON with a key that may do everything."""
    _key, secret = api_keys.issue_key(name="test", user=user, scopes=ALL_SCOPES, at=timezone.now())

    def call(address, body=None, *, raw=None, key=secret, method="post", **headers):
        headers = {"Authorization": f"Api-Key {key}"} | headers if key else headers
        data = raw if raw is not None else json.dumps(body)
        return Client(raise_request_exception=False).generic(
            method.upper(), f"/api/v1/{address}/", data, "application/json", headers=headers
        )

    call.secret = secret
    return call


# --- keys -----------------------------------------------------------------------------------------
def test_a_key_authenticates_its_user_and_only_its_hash_is_stored(call, user):
    assert call("echo", {"name": "a"}).status_code == 200
    key = ApiKey.objects.get()
    assert key.user == user
    assert key.last_used_on == timezone.now().date()
    secret = call.secret.rsplit("_", 1)[-1]
    assert secret not in str(ApiKey.objects.values().get())


@pytest.mark.parametrize("spoil", ["wrong", "revoked", "expired", "inactive"])
def test_a_key_that_does_not_hold_is_refused(call, user, spoil):
    text = call.secret
    if spoil == "wrong":
        text = text[:-1] + ("a" if text[-1] != "a" else "b")
    elif spoil == "revoked":
        api_keys.revoke_key(key_id=ApiKey.objects.get().pk, at=timezone.now())
    elif spoil == "expired":
        ApiKey.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    else:
        type(user).objects.update(is_active=False)
    answer = call("echo", {"name": "a"}, key=text)
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_api_key")
    assert answer["WWW-Authenticate"] == "Api-Key"


def test_a_call_without_a_key_is_not_authenticated(call):
    answer = call("echo", {"name": "a"}, key=None)
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")


def test_a_scope_that_does_not_exist_is_refused(user):
    with pytest.raises(ValidationError, match="everything"):
        api_keys.issue_key(name="x", user=user, scopes=["everything"], at=timezone.now())
    with pytest.raises(ValueError, match="everything"):
        HasScope("everything")


def test_a_missing_scope_is_named(user, call):
    _key, secret = api_keys.issue_key(
        name="narrow", user=user, scopes=["stock:read"], at=timezone.now()
    )
    answer = call("echo", {"name": "a"}, key=secret)
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")
    assert "events:write" in answer.json()["detail"]


def test_a_missing_permission_of_the_user_is_named_and_differs_by_method(user, call):
    assert "auth.view_group" in call("guarded", method="get").json()["detail"]
    user.user_permissions.add(Permission.objects.get(codename="view_group"))
    assert call("guarded", method="get").status_code == 200
    answer = call("guarded", {})
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_permission")
    assert "auth.add_group" in answer.json()["detail"]


# --- errors ---------------------------------------------------------------------------------------
def test_fields_of_a_bad_body_are_named_with_their_path(call):
    answer = call("echo", {"lines": [{"quantity": 1}, {"quantity": 0}]})
    problem = answer.json()
    assert answer["Content-Type"] == "application/problem+json"
    assert (answer.status_code, problem["status"], problem["code"]) == (400, 400, "invalid")
    assert {(error["field"], error["code"]) for error in problem["errors"]} == {
        ("name", "required"), ("lines.1.quantity", "min_value"),
    }  # fmt: skip
    assert problem["request_id"] == answer["X-Request-ID"]


def test_the_callers_request_id_comes_back_unless_it_is_odd(call):
    given = {"X-Request-ID": "shop-4711-abc"}
    assert call("echo", {"name": "a"}, **given)["X-Request-ID"] == "shop-4711-abc"
    odd = {"X-Request-ID": "a b"}
    assert call("echo", {"name": "a"}, **odd)["X-Request-ID"] != "a b"


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("rule", 400, "too_much"),
        ("stale", 409, "stale_version"),
        ("transition", 409, "invalid_transition"),
        ("denied", 403, "not_allowed"),
        ("plain", 403, "permission_denied"),
    ],
)
def test_broken_rules_have_a_status_and_a_code(call, name, status, code):
    answer = call(f"failing/{name}", method="get")
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_conflict_shows_the_row_as_it_is_and_a_refusal_names_the_permission(call):
    assert call("failing/stale", method="get").json()["current"] == {"version": 2, "quantity": 7}
    assert call("failing/denied", method="get").json()["permission"] == "inventory.approve"
    [error] = call("failing/rule", method="get").json()["errors"]
    assert error == {"field": "quantity", "code": "too_much", "message": "Too much."}


def test_unknown_addresses_and_crashes_below_api_answer_in_the_same_shape(call, monkeypatch):
    answer = call("no-such-thing", method="get")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    monkeypatch.setattr(Echo, "post", lambda self, request: 1 / 0)
    answer = call("echo", {})
    assert (answer.status_code, answer.json()["code"]) == (500, "server_error")
    assert "ZeroDivisionError" not in answer.content.decode()


# --- strict JSON ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "raw",
    [
        '{"name": "a", "name": "b"}',
        '{"name": NaN}',
        '{"name": "a", "lines": [{"quantity": 9223372036854775808}]}',
        '{"name": ' + "9" * 5000 + "}",
        '{"name": "\\u0000"}',
        '{"name": "\\ud800"}',
        '{"name": "a"',
        b'{"name": "\xff"}',
        "[" * 33 + "]" * 33,
        "[" * 100_000 + "]" * 100_000,
    ],
)
def test_ambiguous_or_hostile_json_is_a_bad_request(call, raw):
    answer = call("echo", raw=raw)
    assert answer.status_code == 400
    assert answer.json()["code"] in {"invalid_json", "too_deep"}


def test_what_the_limits_allow_passes(call):
    assert call("echo", raw='{"name": "é😀", "x": 9223372036854775807}').status_code == 200
    nested = "[" * 30 + "]" * 30
    assert call("echo", raw=f'{{"name": "a", "x": {nested}}}').status_code == 200


def test_a_body_above_the_limit_is_refused(call, settings):
    settings.API_MAX_BODY_BYTES = 100
    assert call("echo", {"name": "a", "x": "y" * 60}).status_code == 200
    answer = call("echo", {"name": "a", "x": "y" * 100})
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


# --- limits ---------------------------------------------------------------------------------------
def test_above_the_limit_the_caller_is_told_when_to_come_back(call, settings, time_machine_at):
    settings.API_RATE_LIMITS = {"events": 2}
    assert [call("echo", {"name": "a"}).status_code for _number in range(2)] == [200, 200]
    answer = call("echo", {"name": "a"})
    assert (answer.status_code, answer.json()["code"]) == (429, "throttled")
    assert answer["Retry-After"] == "45"
    time_machine_at.shift(timedelta(seconds=46))
    assert call("echo", {"name": "a"}).status_code == 200


@pytest.fixture
def time_machine_at():
    import time_machine

    with time_machine.travel("2026-03-01 12:00:15+00:00", tick=False) as traveller:
        yield traveller


def test_keys_do_not_share_a_limit(call, user, settings, time_machine_at):
    settings.API_RATE_LIMITS = {"events": 1}
    _key, other = api_keys.issue_key(name="other", user=user, scopes=ALL_SCOPES, at=timezone.now())
    assert call("echo", {"name": "a"}).status_code == 200
    assert call("echo", {"name": "a"}).status_code == 429
    assert call("echo", {"name": "a"}, key=other).status_code == 200


def test_when_nothing_can_be_counted_only_a_view_that_says_so_answers(call, monkeypatch):
    from django.db.utils import OperationalError

    def locked(**_kwargs):
        raise OperationalError("database is locked")

    monkeypatch.setattr(throttling, "count_request", locked)
    answer = call("echo", {"name": "a"})
    assert (answer.status_code, answer.json()["code"]) == (503, "counter_unavailable")
    assert answer["Retry-After"] == "1"
    assert call("open", {"name": "a"}).status_code == 200


# --- repeated requests ----------------------------------------------------------------------------
def test_the_same_key_gets_the_same_answer_and_one_effect(call):
    key = {"Idempotency-Key": "order-1"}
    first = call("count", {"name": "g", "x": 1}, **key)
    again = call("count", {"x": 1, "name": "g"}, **key)  # the same content in another order
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert again["Idempotent-Replayed"] == "true"
    assert Group.objects.count() == 1


def test_the_same_key_with_another_body_is_refused(call):
    key = {"Idempotency-Key": "order-1"}
    call("count", {"name": "g"}, **key)
    answer = call("count", {"name": "h"}, **key)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert Group.objects.count() == 1


def test_a_failed_request_leaves_nothing_and_may_be_repeated(call):
    key = {"Idempotency-Key": "order-1"}
    assert call("count", {"name": "g", "fail": True}, **key).status_code == 400
    assert (Group.objects.count(), IdempotencyRecord.objects.count()) == (0, 0)
    assert call("count", {"name": "g"}, **key).status_code == 201


def test_an_unfit_key_is_refused(call):
    answer = call("count", {"name": "g"}, **{"Idempotency-Key": "x" * 81})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "Idempotency-Key")


def test_old_answers_and_counts_are_tidied_away(call):
    call("count", {"name": "g"}, **{"Idempotency-Key": "order-1"})
    call("echo", {"name": "a"})
    later = timezone.now() + idempotency.KEPT_FOR + timedelta(minutes=1)
    assert idempotency.drop_old_answers(at=later) == 1
    assert housekeeping.drop_old_counts(at=later) == 1
    assert not RequestCount.objects.exists()


# --- description ----------------------------------------------------------------------------------
def test_the_schema_is_open_json_and_the_page_lists_every_operation(client):
    schema = client.get("/api/v1/schema/")
    assert schema.status_code == 200
    paths = json.loads(schema.content)["paths"]
    assert "/api/v1/echo/" in paths
    page = client.get("/api/v1/docs/")
    assert page.status_code == 200
    text = page.content.decode()
    assert all(address in text for address in paths)
    assert "events:write" in text
    assert 'src="http' not in text


# --- races ----------------------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True, databases="__all__")
class TestRaces:
    def at_once(self, count, work):
        barrier, results = threading.Barrier(count), []

        def one(number):
            try:
                barrier.wait(20)
                results.extend(work(number))
            finally:
                connections.close_all()

        threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return results

    def test_exactly_as_many_requests_pass_as_the_limit_says(self, settings, time_machine_at):
        def work(_number):
            return [
                throttling.count_request(bucket="events:key:1", at=timezone.now())
                for _request in range(10)
            ]

        settings.API_RATE_LIMITS = {"events": 20}
        with _patient_edge():
            counts = self.at_once(16, work)
        assert sorted(counts) == list(range(1, 161))
        assert len([count for count in counts if count <= 20]) == 20

    def test_reading_before_writing_lets_more_pass(self, time_machine_at):
        """The canary: a counter that is read first and written then."""

        def work(_number):
            seen = []
            for _request in range(10):
                row, _is_new = RequestCount.objects.get_or_create(bucket="naive", minute=1)
                seen.append(row.requests + 1)
                RequestCount.objects.filter(pk=row.pk).update(requests=row.requests + 1)
            return seen

        with _patient_edge():
            RequestCount.objects.create(bucket="naive", minute=1)
            counts = self.at_once(8, work)
        assert len([count for count in counts if count <= 20]) > 20

    def test_one_of_many_equal_requests_has_an_effect(self, call):
        key = {"Idempotency-Key": "order-1"}
        answers = self.at_once(8, lambda _number: [call("count", {"name": "g"}, **key)])
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.content for answer in answers}) == 1
        assert Group.objects.count() == 1
        assert len([answer for answer in answers if "Idempotent-Replayed" in answer]) == 7

    def test_without_the_key_each_of_them_tries_for_itself(self, call):
        answers = self.at_once(8, lambda number: [call("count", {"name": f"g{number}"})])
        assert {answer.status_code for answer in answers} == {201}
        assert Group.objects.count() == 8


class _patient_edge:
    """Let the counter's database wait longer than 50 ms: here the sum counts, not the latency."""

    def __enter__(self):
        for connection in self._edge():
            self.timeout = connection.settings_dict["OPTIONS"]["timeout"]
            connection.settings_dict["OPTIONS"]["timeout"] = 20

    def __exit__(self, *_error):
        for connection in self._edge():
            connection.settings_dict["OPTIONS"]["timeout"] = self.timeout

    def _edge(self):
        return [connections[alias] for alias in connections if alias == "edge"]


def test_the_transaction_of_a_repeated_request_is_the_services_own(call, monkeypatch):
    """Effect and remembered answer are one transaction: a crash between them leaves neither."""

    def crash(**_kwargs):
        raise SystemError("power cut")

    monkeypatch.setattr(idempotency, "keep_answer", crash)
    with transaction.atomic():
        answer = call("count", {"name": "g"}, **{"Idempotency-Key": "order-1"})
    assert answer.status_code == 500
    assert (Group.objects.count(), IdempotencyRecord.objects.count()) == (0, 0)
