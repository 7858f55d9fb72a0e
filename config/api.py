"""What every API endpoint shares: the renderer, the page limit, the shape of an error."""

from typing import Any

import orjson
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.renderers import BaseRenderer
from rest_framework.response import Response
from rest_framework.views import exception_handler as drf_exception_handler


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


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    return drf_exception_handler(error, context)
