"""What every API endpoint shares: the renderer, the strict JSON parser, the page limit."""

import json
from collections.abc import Mapping
from typing import Any

import orjson
from django.conf import settings
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import APIException, ParseError
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer

LARGEST_INTEGER = 2**63 - 1  # of a BIGINT column


class OrjsonRenderer(BaseRenderer):
    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None
    ) -> bytes:
        return b"" if data is None else orjson.dumps(data, default=str)


class PageLimit(LimitOffsetPagination):
    default_limit = 50
    max_limit = 200


class BodyTooLarge(APIException):
    status_code = 413
    default_detail = _("The body is larger than this endpoint accepts.")
    default_code = "body_too_large"


class StrictJSONParser(BaseParser):
    """JSON with one meaning: UTF-8, no duplicate names, no NaN, integers that fit a column, bounded depth.

    The size limit is settings.API_MAX_BODY_BYTES; a view for batches sets its own `max_body_bytes`.
    """

    media_type = "application/json"

    def parse(
        self,
        stream: Any,
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        view = (parser_context or {}).get("view")
        limit = getattr(view, "max_body_bytes", settings.API_MAX_BODY_BYTES)
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise BodyTooLarge
        try:
            parsed = json.loads(
                body.decode("utf-8"),
                object_pairs_hook=_unique_names,
                parse_constant=_refuse_constant,
                parse_int=_bounded_integer,
            )
            _check_tree(parsed, settings.API_MAX_DEPTH)
        except RecursionError:
            raise ParseError(_("The JSON is nested too deeply."), code="too_deep") from None
        except ValueError as error:
            raise ParseError(
                _("The body is not valid JSON: %(reason)s") % {"reason": error}, code="invalid_json"
            ) from error
        return parsed


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) != len(pairs):
        seen: set[str] = set()
        repeated = next(name for name, _value in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"the name {repeated!r} occurs twice in one object")
    return names


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _bounded_integer(digits: str) -> int:
    if len(digits) > 20 or abs(int(digits)) > LARGEST_INTEGER:
        raise ValueError(f"the integer {digits[:24]} is out of range")
    return int(digits)


def _check_tree(value: Any, levels_left: int) -> None:
    """Refuse what the databases refuse later with less to say: deep nesting, NUL, half characters."""
    if isinstance(value, str):
        if not value.isascii():
            value.encode("utf-8")  # UnicodeEncodeError, a ValueError, for a lone surrogate
        if "\x00" in value:
            raise ValueError("a text contains the character NUL")
    elif isinstance(value, dict | list):
        if levels_left == 0:
            raise RecursionError
        if isinstance(value, dict):
            for name in value:
                _check_tree(name, levels_left)
            value = value.values()
        for item in value:
            _check_tree(item, levels_left - 1)
