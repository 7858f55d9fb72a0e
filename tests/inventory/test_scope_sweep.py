"""Whoever sees one part of the business learns nothing of another, on any route there is.

The routes come from the URL map, the bodies from the API's own description, the forms from the pages: what
is added later is swept too.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from django.apps import apps
from django.contrib.auth.models import Permission
from django.db.models import ForeignKey, Q
from django.test import Client

from catalog.models import Category, Product, Supplier
from inventory.models import ReasonCode, UserScope, Warehouse
from tests.factories import UserFactory
from tests.sweeping import STEPS, Route, api_bodies, business_routes, forms_of, sample
from tests.worlds import NOON, World, build_world

pytestmark = pytest.mark.django_db(databases="__all__")

KINDS = ("warehouses", "suppliers", "categories")
APPS = ("catalog", "inventory", "forecasting", "recommendations")
# A customer's right to be forgotten on the storefront knows no warehouse: the shop asks, by the key it gave.
# And the storefront serves the whole catalogue; its page counts what it was asked, by this sweep too.
FOR_ANYBODY = ("/api/v1/recommendations/", "/recommendations/")
# what differs from one answer to the next without telling anything
NOISE = re.compile(
    r"csrfmiddlewaretoken[^>]*>|X-CSRFToken[^>]*>|[0-9a-f]{8}-[0-9a-f-]{27}|\"request_id\":\"\w+\""
)
FOREIGN = re.compile(r"FOREIGN(?:-\w+| [a-z]+)|foreign-shop|47,?000")
WRITES_NO_BUSINESS = {"AuditEntry", "RequestCount", "IdempotencyRecord", "SavedView"}


@pytest.fixture
def home(db) -> World:
    ReasonCode.objects.create(code="sweep", label="Sweep")
    with time_machine.travel(NOON, tick=False):
        yield build_world("HOME", 1000)


@pytest.fixture(params=KINDS)
def kind(request) -> str:
    return request.param


@pytest.fixture
def foreign(home, kind) -> World:
    """The same business, but for the warehouse, the supplier or the category that one may not see."""
    return build_world("FOREIGN", 7000, beside=home, differs_in=kind)


@pytest.fixture
def client(kind, home) -> Client:
    """A person with every permission, whose scope is the home world by one of its kinds."""
    user = UserFactory(username="nora")
    user.user_permissions.set(Permission.objects.filter(content_type__app_label__in=APPS))
    scope = UserScope.objects.create(user=user)
    inside = {"warehouses": home.warehouse, "suppliers": home.supplier, "categories": home.category}
    getattr(scope, kind).add(inside[kind])
    if kind == "warehouses":
        scope.warehouses.add(Warehouse.objects.get(pk=home.number + 1))
    client = Client(raise_request_exception=False)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def read(client: Client, route: Route, world: World) -> tuple[int, str]:
    answer = client.get(route.address(world))
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content  # type: ignore[attr-defined]
    return answer.status_code, NOISE.sub("", body.decode("utf-8", "replace"))


def test_what_one_sees_does_not_depend_on_what_one_does_not_see(client, home, kind):
    """No name, no number and no count: the answers are the same with and without the other world."""
    routes = [r for r in business_routes() if not r.address(home).startswith(FOR_ANYBODY)]
    before = {route: read(client, route, home) for route in routes}
    build_world("FOREIGN", 7000, beside=home, differs_in=kind)
    after = {route: read(client, route, home) for route in routes}
    assert [f"{r.path}: {after[r][0]}" for r in routes if after[r][0] >= 500] == []
    assert sum(status == 200 for status, _body in after.values()) > 30
    changed = [
        f"{route.path}: {difference(before[route][1], after[route][1])}"
        for route in routes
        if before[route] != after[route]
    ]
    assert changed == [], "\n".join(changed)


def test_no_foreign_address_answers(client, foreign):
    """Reading another world's row: 403 or 404, and not a word of it."""
    open_doors = []
    for route in business_routes():
        address = route.address(foreign, code="foreign-shop" if "webhook" in route.path else "")
        if not route.arguments or address.startswith(FOR_ANYBODY):
            continue
        answer = client.get(address)
        body = b"" if answer.streaming else answer.content  # type: ignore[attr-defined]
        told = leaks(body.decode("utf-8", "replace"), address)
        # a step sends those who ask without posting back to a page, whether the row is there or not
        nowhere = client.get(address.replace(str(foreign.number), "99999"))
        is_back = answer.status_code == 302 and answer.get("Location", "").replace(
            str(foreign.number), "99999"
        ) == nowhere.get("Location")
        if (answer.status_code not in (403, 404, 405) and not is_back) or told:
            open_doors.append(f"{address}: {answer.status_code} {told}")
    assert open_doors == [], "\n".join(open_doors)


def test_no_foreign_row_is_written(client, home, foreign):
    """Every way to write, at another world's address or naming its rows: refused, without effect."""
    known = foreign_rows(foreign)
    failures = []
    tried = 0
    for method, address, body, is_json in writes(client, home, foreign):
        if address.startswith(FOR_ANYBODY):
            continue
        send = getattr(client, method)
        data: dict[str, Any] = {"data": body}
        if is_json:
            data["content_type"] = "application/json"
        headers = {"If-Match": '"1"', "Idempotency-Key": f"sweep-{tried}"}
        answer = send(address, **data, headers=headers)
        tried += 1
        told = leaks(answer.content.decode("utf-8", "replace"), address + str(body))
        now = foreign_rows(foreign)
        if answer.status_code >= 500 or told or now != known:
            what = sorted(name for name in now if now[name] != known[name])
            failures.append(f"{method} {address}: {answer.status_code} {told} wrote {what}")
            known = now
    assert tried > 60
    assert failures == [], "\n".join(failures)


def writes(
    client: Client, home: World, foreign: World
) -> Iterator[tuple[str, str, dict[str, Any], bool]]:
    """Yield (method, address, body, is JSON): foreign addresses, and home addresses with foreign names."""
    for (method, path), schema in api_bodies().items():
        route = next(r for r in business_routes() if same_path(r, path))
        body = sample(schema, foreign) or {}
        yield method, route.address(foreign, code="foreign-shop"), body, True
        yield method, route.address(foreign), body, True
        if route.arguments:
            yield method, route.address(home), body, True
    for route in business_routes():
        if route.is_api:
            continue
        if route.arguments:
            has_step = any(name in ("step", "verb") for _kind, name in route.arguments)
            for step in STEPS if has_step else ("",):
                yield "post", route.address(foreign, step=step), {"version": "1"}, False
        address = route.address(home)
        page = client.get(address)
        if page.status_code == 200 and not page.streaming:
            for action, fields in forms_of(page.content.decode("utf-8", "replace"), address):
                yield "post", action, moved(fields, home, foreign), False


def moved(fields: dict[str, list[str]], home: World, foreign: World) -> dict[str, list[str]]:
    """The form of a home page, filled in with what belongs to the other world."""
    swaps = {str(home.number): str(foreign.number), str(home.number + 1): str(foreign.number + 1)}
    filled = {
        name: [swaps.get(value, value.replace("HOME", "FOREIGN")) for value in values]
        for name, values in fields.items()
    }
    for name, values in filled.items():
        for word, ending in (("sku", "-SKU"), ("supplier", ""), ("warehouse", ""), ("product", "")):
            if word in name and values in ([""], []):
                filled[name] = [f"FOREIGN{ending}" if ending else str(foreign.number)]
    return filled


def same_path(route: Route, documented: str) -> bool:
    pattern = re.sub(r"<[^>]*>", "{}", route.path)
    return "/" + pattern == re.sub(r"\{[^}]*\}", "{}", documented)


def leaks(body: str, sent: str) -> list[str]:
    """What an answer says of the foreign world that was not in the question."""
    return sorted({found for found in FOREIGN.findall(body) if found not in sent})


def difference(before: str, after: str) -> str:
    """The first place where two answers differ, for the message of the test."""
    place = next((i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), 0)
    return f"…{before[max(place - 60, 0) : place + 60]!r} → {after[place : place + 60]!r}"


def foreign_rows(foreign: World) -> dict[str, list[tuple[Any, ...]]]:
    """Every row that belongs to the foreign world or points at it."""
    owners = {
        Product: [foreign.number], Category: [foreign.number], Supplier: [foreign.number],
        Warehouse: [foreign.number, foreign.number + 1],
    }  # fmt: skip
    found = {}
    for model in apps.get_models():
        if model._meta.app_label not in APPS or model.__name__ in WRITES_NO_BUSINESS:
            continue
        condition = Q(pk__in=owners[model]) if model in owners else Q(pk=0)
        integer = model._meta.pk.get_internal_type().endswith(("AutoField", "IntegerField"))  # type: ignore[union-attr]
        if integer:
            condition |= Q(pk=foreign.number)
        for field in model._meta.concrete_fields:
            if isinstance(field, ForeignKey) and field.related_model in owners:
                condition |= Q(**{f"{field.name}_id__in": owners[field.related_model]})
        found[model._meta.label] = sorted(model._default_manager.filter(condition).values_list())
    return found


# --- the sweep itself can fail -----------------------------------------------------------------
def test_canary_a_selector_without_scope_is_found(home, client, kind, monkeypatch):
    from inventory.selectors.scope import Scope

    monkeypatch.setattr(Scope, "restrict", lambda _self, rows, **_paths: rows)
    routes = [r for r in business_routes() if r.path in ("stock/", "suggestions/")]
    before = {route: read(client, route, home) for route in routes}
    build_world("FOREIGN", 7000, beside=home, differs_in=kind)
    assert all(read(client, route, home) != before[route] for route in routes)
    assert len(routes) == 2
