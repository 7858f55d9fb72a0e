"""Whatever a parser, a float or a column cannot hold ends in a 4xx that names the field, never in a 500.

Bodies come from the API's description and forms from the pages: each field in turn gets each nasty value,
beside plausible ones. The world behind them is real, so that the values get as far as they can.
"""

import itertools
import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import time_machine
from django.db import transaction
from django.test import Client

from inventory.models import ReasonCode
from tests.factories import UserFactory
from tests.inventory.test_scope_sweep import same_path
from tests.sweeping import Route, api_bodies, business_routes, forms_of, sample
from tests.worlds import NOON, World, build_world

pytestmark = pytest.mark.django_db(databases="__all__")

HARMLESS = {200, 201, 202, 204, 302}
REFUSED = {400, 401, 403, 404, 405, 409, 413, 415, 422}
NASTY: list[Any] = [
    None, "", " ", "x" * 10_000, "\x00", "a\x00b", "\ud800", "٣٤", "１２", "NaN", "Infinity", "-Infinity",
    "1e400", "1E+99999999", "0x10", "'; DROP TABLE x; --", "=1+1", "\u202e\u2066", -1, 0, 2**31, 2**63 - 1,
    2**63, 10**25, -(2**63) - 1, 1.5, 1e308, True, [], {}, [[]], [None], {"a": {"a": {}}}, "9999-99-99",
    "0000-00-00", "10000-01-01T00:00:00Z", "2026-02-30",
]  # fmt: skip
TEXTS = [value for value in NASTY if isinstance(value, str | int) and not isinstance(value, bool)]
KEYS = itertools.count()
QUERIES = ["\x00", "x" * 3000, "-1", str(2**70), "NaN", "٣", "0000-00-00", "[", "'"]
BROKEN_BODIES = [
    b"", b"{", b"[]", b"null", b'"text"', b"1e999", b"NaN", b'{"a":1,"a":2}', b'{"version":1,"version":2}',
    b"\xff\xfe", b'{"a":"\\ud800"}', b'{"a":"\\u0000"}', b'{"version":NaN}', b'{"version":Infinity}',
    b'{"version":123456789012345678901234567890}', b"[" * 5000, b'{"a":' * 200 + b"1" + b"}" * 200,
    b'{"unknown_field_of_a_stranger": 1}',
]  # fmt: skip


@pytest.fixture
def world(db) -> Iterator[World]:
    ReasonCode.objects.create(code="sweep", label="Sweep")
    with time_machine.travel(NOON, tick=False):
        yield build_world("HOME", 1000)


@pytest.fixture
def client(world) -> Client:
    chief = UserFactory(username="chief", is_superuser=True)
    client = Client(raise_request_exception=False)
    client.force_login(chief, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture(autouse=True)
def no_limit_of_requests(settings):
    settings.API_RATE_LIMITS = dict.fromkeys(settings.API_RATE_LIMITS, 10**9)


def operations(world: World) -> list[tuple[str, Route, dict[str, Any]]]:
    routes = business_routes()
    return [
        (method, next(r for r in routes if same_path(r, path)), schema)
        for (method, path), schema in api_bodies().items()
    ]


def some_of(values: list[Any], number: int) -> list[Any]:
    """Every fourth value, beginning elsewhere at each field; all of them in the long run (`make prove`)."""
    whole = os.environ.get("HYPOTHESIS_PROFILE") == "prove"
    return values if whole else values[number % 4 :: 4]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place inside a body at which a value stands."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield (*path, name)
            yield from places(inner, (*path, name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield (*path, number)
            yield from places(inner, (*path, number))


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    if isinstance(value, dict):
        return {**value, path[0]: replaced(value[path[0]], path[1:], new)}
    return [
        replaced(inner, path[1:], new) if number == path[0] else inner
        for number, inner in enumerate(value)
    ]


def without(value: Any, path: tuple[Any, ...]) -> Any:
    if len(path) == 1:
        if isinstance(value, dict):
            return {name: inner for name, inner in value.items() if name != path[0]}
        return []
    return replaced(value, path[:1], without(value[path[0]], path[1:]))


def encoded(body: Any) -> bytes:
    return json.dumps(body, ensure_ascii=True).encode()


def send(client: Client, method: str, address: str, body: bytes) -> Any:
    headers = {"If-Match": '"1"', "Idempotency-Key": f"sweep-{next(KEYS)}"}
    return apart(
        lambda: client.generic(
            method.upper(), address, body, content_type="application/json", headers=headers
        )
    )


def apart(call: Callable[[], Any]) -> Any:
    """Ask inside a savepoint: a question that broke something does not spoil the next one."""
    with transaction.atomic():
        answer = call()
        if answer.status_code >= 500:
            transaction.set_rollback(True)
    return answer


def problem(answer: Any) -> str:
    """What is wrong with an answer to nonsense; "" for nothing."""
    if answer.status_code not in HARMLESS | REFUSED:
        return str(answer.status_code)
    if answer.status_code == 400:
        told = answer.json()
        if not told["detail"] or not told["code"]:
            return "400 without words"
    return ""


def named_field(answer: Any, name: str) -> bool:
    told = answer.json()
    errors = told["errors"]
    return any(name in str(error["field"]).split(".") for error in errors) or name in told["detail"]


def test_no_value_breaks_the_api(client, world):
    failures = []
    tried = 0
    for method, route, schema in operations(world):
        address, body = route.address(world), sample(schema, world) or {}
        for number, path in enumerate(places(body)):
            for value in some_of(NASTY, number):
                answer = send(client, method, address, encoded(replaced(body, path, value)))
                tried += 1
                if problem(answer):
                    failures.append(
                        f"{method} {route.path} {path} {value!r:.40}: {problem(answer)}"
                    )
            answer = send(client, method, address, encoded(without(body, path)))
            if problem(answer):
                failures.append(f"{method} {route.path} without {path}: {problem(answer)}")
    assert tried > 1000
    assert failures == [], "\n".join(failures)


def test_no_body_breaks_the_api(client, world):
    failures = []
    for method, route, schema in operations(world):
        if not schema:
            continue  # it takes no body: what comes as one is not read
        # the storefront's hot path passes over what it does not know
        harmless = [b"", b"[]", b"null", BROKEN_BODIES[-1] if "recommend" in route.path else b""]
        for body in BROKEN_BODIES:
            answer = send(client, method, route.address(world), body)
            if answer.status_code not in REFUSED and body not in harmless:
                failures.append(f"{method} {route.path} {body[:30]!r}: {answer.status_code}")
            if answer.status_code >= 500:
                failures.append(f"{method} {route.path} {body[:30]!r}: {answer.status_code}")
        large = b'{"a":"' + b"x" * 6_000_000 + b'"}'
        answer = send(client, method, route.address(world), large)
        if answer.status_code not in {400, 401, 403, 404, 413}:
            failures.append(f"{method} {route.path} 6 MB: {answer.status_code}")
    assert failures == [], "\n".join(failures)


def test_wrong_types_are_named_by_field(client, world):
    """A list where one value belongs, or a text where a number does: the answer says which field."""
    silent = []
    tried = 0
    for method, route, schema in operations(world):
        if "webhook" in route.path or not schema:
            continue  # a signed message of another system, or no body: nothing of ours to describe
        address, body = route.address(world), sample(schema, world)
        for name, value in body.items():
            wrong = {"a": 1} if not isinstance(value, dict | list) else "text"
            if isinstance(value, bool):
                wrong = "perhaps"
            answer = send(client, method, address, encoded({**body, name: wrong}))
            tried += 1
            if answer.status_code == 400 and not named_field(answer, name):
                silent.append(f"{method} {route.path} {name}: {answer.json()['errors']}")
    assert tried > 80
    assert silent == [], "\n".join(silent)


def test_no_value_breaks_a_form(client, world):
    failures = []
    tried = 0
    seen = set()
    for route in business_routes():
        if route.is_api:
            continue
        address = route.address(world)
        page = client.get(address)
        if page.status_code != 200 or page.streaming:
            continue
        for action, fields in forms_of(page.content.decode("utf-8", "replace"), address):
            shape = (action, tuple(sorted(fields)))
            if shape in seen or action.endswith(("logout/", "setlang/")):
                continue
            seen.add(shape)
            for number, name in enumerate(fields):
                for value in some_of(TEXTS, number):
                    text = str(value).encode("utf-8", "surrogatepass").decode("utf-8", "replace")
                    answer = apart(lambda: client.post(action, {**fields, name: text}))  # noqa: B023
                    tried += 1
                    if answer.status_code not in HARMLESS | REFUSED:
                        failures.append(f"{action} {name} {value!r:.40}: {answer.status_code}")
            answer = client.post(action, {})
            if answer.status_code not in HARMLESS | REFUSED:
                failures.append(f"{action} empty: {answer.status_code}")
    assert tried > 150
    assert failures == [], "\n".join(failures)


def test_no_query_breaks_a_list(client, world):
    """Filters, sorting and paging with nonsense: the list, an error of the form, or a 400."""
    failures = []
    for route in business_routes():
        names = {"q", "page", "per_page", "sort", "limit", "offset", "ordering", "cursor"}
        view = getattr(route.pattern.callback, "view_class", None) or getattr(
            route.pattern.callback, "cls", None
        )
        filterset = getattr(view, "filterset_class", None)
        names |= set(getattr(filterset, "base_filters", {}))
        for number, name in enumerate(sorted(names) if filterset else ("q", "page")):
            for value in some_of(QUERIES, number):
                answer = apart(lambda: client.get(route.address(world), {name: value}))  # noqa: B023
                if answer.status_code >= 500:
                    failures.append(f"{route.path}?{name}={value!r:.20}: {answer.status_code}")
    assert failures == [], "\n".join(failures)
