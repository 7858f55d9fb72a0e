"""What the planning endpoints share: scope, filters that refuse unknown names, versions of rows."""

from typing import Any

from django.db.models import Model, QuerySet
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from inventory.selectors.scope import Scope, scope_of

PAGE_PARAMETERS = {"limit", "offset", "cursor", "ordering", "format"}


class ScopedView(GenericAPIView):
    """Rows come from ``scoped_rows``; what lies outside the caller's scope does not exist for them."""

    throttle_scope = "planning"

    @property
    def scope(self) -> Scope:
        return scope_of(self.request.user)

    def scoped_rows(self) -> QuerySet[Any]:
        raise NotImplementedError

    def get_queryset(self) -> QuerySet[Any]:
        return self.scoped_rows()

    def row(self, pk: int) -> Any:
        return get_object_or_404(self.scoped_rows(), pk=pk)

    def checked(self, serializer_class: type[Serializer], request: Request) -> dict[str, Any]:
        """Return the validated body; a name that the endpoint does not know is an error."""
        serializer = serializer_class(data=request.data)
        serializer.is_valid(raise_exception=True)
        unknown = sorted(set(request.data) - set(serializer.fields))
        if unknown:
            raise ValidationError({name: _("Unknown field.") for name in unknown}, code="unknown")
        return dict(serializer.validated_data)


class ScopedListView(ListModelMixin, ScopedView):
    """A list with filters and ``ordering``; an unknown parameter is an error, not ignored."""

    ordering_fields: tuple[str, ...] = ()

    def get(self, request: Request) -> Response:
        allowed = PAGE_PARAMETERS | set(self.filter_names())
        unknown = sorted(set(request.query_params) - allowed)
        if unknown:
            raise ValidationError(
                {name: _("Unknown parameter.") for name in unknown}, code="unknown"
            )
        return self.list(request)

    def filter_names(self) -> list[str]:
        filterset = getattr(self, "filterset_class", None)
        return list(filterset.base_filters) if filterset else []

    def get_queryset(self) -> QuerySet[Any]:
        rows = self.scoped_rows()
        wanted = self.request.query_params.get("ordering", "")
        if not wanted:
            return rows
        names = wanted.split(",")
        unknown = [name for name in names if name.removeprefix("-") not in self.ordering_fields]
        if unknown:
            raise ValidationError(
                {
                    "ordering": _("Expected some of %(known)s.")
                    % {"known": ", ".join(self.ordering_fields)}
                },
                code="ordering",
            )
        return rows.order_by(*names, "pk")


def seen_version(request: Request, data: dict[str, Any]) -> int:
    """Return the version the caller saw: from the body, else from ``If-Match: "<version>"``."""
    if data.get("version") is not None:
        return int(data["version"])
    tag = request.headers.get("If-Match", "").removeprefix("W/").strip('"')
    if not tag.isdecimal():
        raise ValidationError(
            {"version": _("Send the version you saw, in the body or as If-Match.")}, code="required"
        )
    return int(tag)


def with_version(row: Model, data: Any, status: int = 200) -> Response:
    return Response(data, status=status, headers={"ETag": f'"{row.version}"'})  # type: ignore[attr-defined]
