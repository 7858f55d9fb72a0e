"""All routes with arguments and bodies made from what the routes say of themselves."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

from django.urls import URLPattern
from drf_spectacular.generators import SchemaGenerator

from tests.architecture.test_routes import all_routes
from tests.worlds import World

ARGUMENT = re.compile(r"<(?:(\w+):)?(\w+)>")
# what a text argument is about, by its name; a number is always the number of the world
OF_NAME = {
    "warehouse": "-WH", "sku": "-SKU", "code": "-SUP", "supplier": "-SUP", "key": "-customer",
    "order_ref": "-REF",
}  # fmt: skip
STEPS = (
    "submit", "approve", "return", "send", "cancel", "close", "close-short", "hold", "resume",
    "acknowledge", "receive", "ship", "activate", "deactivate", "lose", "reverse", "erase", "dispatch",
    "payment", "enter", "post",
)  # fmt: skip
# no part of the business: log-in, probes, static descriptions, the admin (administrators see everything)
OUTSIDE = (
    "admin/",
    "login",
    "logout",
    "live",
    "ready",
    "static/",
    "i18n/",
    "api/v1/schema",
    "api/v1/docs",
)


@dataclass(frozen=True)
class Route:
    path: str  # with its arguments as Django writes them
    name: str
    pattern: URLPattern

    @property
    def arguments(self) -> list[tuple[str, str]]:
        return [(kind or "str", name) for kind, name in ARGUMENT.findall(self.path)]

    @property
    def is_api(self) -> bool:
        return self.path.startswith("api/")

    def address(self, world: World | None, *, code: str = "", step: str = "approve") -> str:
        """The address of the world's own row behind the route."""

        def fill(match: re.Match[str]) -> str:
            kind, name = match.group(1) or "str", match.group(2)
            if name == "step" or name == "verb":
                return step
            assert world is not None
            if kind == "int":
                return str(world.number)
            if kind == "uuid":
                return "00000000-0000-0000-0000-000000000001"
            if name == "code":
                return code or world.place + self._code()
            return world.place + OF_NAME.get(name, "-SKU")

        return "/" + ARGUMENT.sub(fill, self.path)

    def _code(self) -> str:
        for word, ending in (("period", "-WH"), ("webhook", "-shop"), ("warehouse", "-WH")):
            if word in self.path:
                return ending
        return "-SUP"


def business_routes() -> list[Route]:
    """Every page and API route of the business, found in the URL map."""
    found = []
    for path, name, pattern in all_routes():
        is_expression = any(sign in path for sign in "^$(")
        if not is_expression and not path.startswith(OUTSIDE) and path:
            found.append(Route(path, name, pattern))
    return found


def api_bodies() -> dict[tuple[str, str], dict[str, Any]]:
    """(method, path) → JSON schema of the body, with references resolved, of every API route that writes."""
    schema = SchemaGenerator(urlconf="config.urls").get_schema(request=None, public=True)
    bodies = {}
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            content = operation.get("requestBody", {}).get("content", {})
            if method in ("post", "put", "patch", "delete"):
                body = content.get("application/json", {}).get("schema", {})
                bodies[(method, path)] = _resolved(body, schema)
    return bodies


def sample(schema: dict[str, Any], world: World, name: str = "") -> Any:
    """A plausible value for a schema, pointing at the world's rows where the name of a field says so."""
    if schema.get("enum"):
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "object":
        return {
            inner: sample(one, world, inner) for inner, one in schema.get("properties", {}).items()
        }
    if kind == "array":
        return [sample(schema.get("items", {}), world, name)]
    if kind == "integer":
        is_id = name in ("id", "ids", "suggestion", "lines", "line_id") or name.endswith("_id")
        return world.number if is_id else 1
    if kind == "number":
        return 1
    if kind == "boolean":
        return True
    return _text(schema, world, name)


def _text(schema: dict[str, Any], world: World, name: str) -> str:
    by_format = {
        "date": "2026-11-30", "date-time": "2026-11-23T12:00:00Z", "decimal": "1.00",
        "uuid": "00000000-0000-0000-0000-000000000001",
    }  # fmt: skip
    if schema.get("format") in by_format:
        return by_format[schema["format"]]
    if "currency" in name:
        return "EUR"
    if "price" in name or "cost" in name or "amount" in name:
        return "1.00"
    for word, ending in (
        ("sku", "-SKU"), ("product", "-SKU"), ("warehouse", "-WH"), ("source", "-WH"),
        ("destination", "-WH2"), ("supplier", "-SUP"), ("customer", "-customer"), ("order", "-REF"),
    ):  # fmt: skip
        if word in name:
            return world.place + ending
    if "reason" in name:
        return "sweep"
    return f"sweep-{name}"[:40]


def _resolved(schema: Any, root: dict[str, Any], depth: int = 0) -> Any:
    if isinstance(schema, list):
        return [_resolved(one, root, depth) for one in schema]
    if not isinstance(schema, dict) or depth > 12:
        return schema
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return _resolved(root["components"]["schemas"][name], root, depth + 1)
    for choice in ("allOf", "oneOf", "anyOf"):
        if choice in schema:
            return _resolved(schema[choice][0], root, depth + 1)
    return {key: _resolved(value, root, depth + 1) for key, value in schema.items()}


class _Forms(HTMLParser):
    """The forms of a page that post, with the names and values of their fields."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[tuple[str, dict[str, list[str]]]] = []
        self._fields: dict[str, list[str]] | None = None
        self._select = self._area = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and given.get("method", "").lower() == "post":
            self._fields = {}
            self.forms.append((given.get("action", ""), self._fields))
        if self._fields is None:
            return
        name = given.get("name", "")
        if tag == "input" and name and given.get("type") not in ("file", "submit"):
            box = given.get("type") in ("checkbox", "radio")
            if not box or "checked" in given or name not in self._fields:
                self._fields.setdefault(name, []).append(given.get("value", ""))
        elif tag == "button" and name:
            self._fields.setdefault(name, []).append(given.get("value", ""))
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select and given.get("value"):
            if "selected" in given or self._select not in self._fields:
                self._fields[self._select] = [given["value"]]
        elif tag == "textarea" and name:
            self._fields.setdefault(name, [""])

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._fields = None
        elif tag == "select":
            if self._fields is not None and self._select:
                self._fields.setdefault(self._select, [""])
            self._select = ""


def forms_of(html: str, address: str) -> Iterator[tuple[str, dict[str, list[str]]]]:
    """Yield (address it posts to, fields) of each form of a page."""
    parser = _Forms()
    parser.feed(html)
    for action, fields in parser.forms:
        yield action or address, fields
