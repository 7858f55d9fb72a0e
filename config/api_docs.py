"""The API as a page: endpoints, parameters, scopes and answers, drawn from the schema by the server."""

from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator

from catalog.services.api_keys import SCOPES

METHODS = ("get", "post", "put", "patch", "delete")


class ApiKeyScheme(OpenApiAuthenticationExtension):
    target_class = "catalog.api.authentication.ApiKeyAuthentication"
    name = "ApiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Api-Key pk_…`: the word Api-Key, a space, the key.",
        }


@login_not_required
def api_docs(request: HttpRequest) -> HttpResponse:
    schema = SchemaGenerator().get_schema(request=None, public=True)
    groups: dict[str, list[dict[str, Any]]] = {}
    for address, operations in schema["paths"].items():
        for method in METHODS:
            if method in operations:
                operation = operations[method]
                group = (operation.get("tags") or ["api"])[0]
                groups.setdefault(group, []).append(_row(schema, address, method, operation))
    context = {
        "title": schema["info"]["title"],
        "version": schema["info"]["version"],
        "groups": sorted(groups.items()),
        "scopes": SCOPES.items(),
    }
    return render(request, "pages/api_docs.html", context)


def _row(
    schema: dict[str, Any], address: str, method: str, operation: dict[str, Any]
) -> dict[str, Any]:
    body = operation.get("requestBody", {}).get("content", {})
    return {
        "id": operation["operationId"],
        "address": address,
        "method": method.upper(),
        "text": operation.get("description") or operation.get("summary") or "",
        "parameters": [
            {**parameter, "type": parameter.get("schema", {}).get("type", "")}
            for parameter in operation.get("parameters", [])
        ],
        "body": _fields(schema, next(iter(body.values()))["schema"]) if body else [],
        "answers": [
            {"status": status, "text": answer.get("description", "")}
            for status, answer in operation.get("responses", {}).items()
        ],
    }


def _fields(schema: dict[str, Any], shape: dict[str, Any]) -> list[dict[str, Any]]:
    """Name, type and whether it is required, of the fields of a request body."""
    shape = shape.get("items", shape)
    if "$ref" in shape:
        shape = schema["components"]["schemas"][shape["$ref"].rsplit("/", 1)[-1]]
    required = set(shape.get("required", ()))
    return [
        {
            "name": name,
            "type": kind.get("format") or kind.get("type") or "",
            "text": kind.get("description", ""),
            "is_required": name in required,
        }
        for name, kind in shape.get("properties", {}).items()
    ]
