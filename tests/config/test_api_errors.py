"""One shape of error, one meaning of JSON, one description."""

import json

import pytest

from tests.config.api_views import Echo

pytestmark = [
    pytest.mark.django_db(databases="__all__"),
    pytest.mark.urls("tests.config.api_views"),
]


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
