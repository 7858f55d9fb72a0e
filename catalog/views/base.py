"""What every page shares: the permission it declares, its clock, and the shape of a list page."""

from datetime import datetime
from typing import Any, ClassVar

import django_filters
import django_tables2
from django import forms
from django.contrib.auth.mixins import PermissionRequiredMixin
from django.contrib.auth.models import Permission
from django.core.exceptions import ValidationError
from django.core.paginator import EmptyPage, PageNotAnInteger
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.generic import TemplateView, View

PAGE_SIZES = (50, 100, 200)


class Guarded(PermissionRequiredMixin, View):
    """A page for those who hold its permission. An empty tuple says: everybody who is logged in.

    Each page declares ``permission_required``; a route without it fails a test.
    """

    permission_required: Any

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        self.at: datetime = timezone.now()

    def get_permission_denied_message(self) -> str:
        missing = [
            name for name in self.get_permission_required() if not self.request.user.has_perm(name)
        ]
        return " ".join(describe_permission(name) for name in missing)


class Page(Guarded, TemplateView):
    """A page that renders a template."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {
            "now": self.at,
            "today": timezone.localdate(self.at),
            **super().get_context_data(**kwargs),
        }


class ListPage(Page):
    """Filters in the address, sort and paging by the database, one table."""

    table_class: ClassVar[type[django_tables2.Table]]
    filterset_class: ClassVar[type[django_filters.FilterSet] | None] = None
    template_name = "pages/list.html"
    title: ClassVar[Any] = ""
    lead: ClassVar[Any] = ""
    empty_text: ClassVar[Any] = ""
    # the table whose export holds the same rows; the filters of the page go along
    export_table: ClassVar[str] = ""

    def get_queryset(self) -> QuerySet[Any]:
        raise NotImplementedError

    def filter_data(self) -> Any:
        """The values for the filters; a page overrides it where it has defaults of its own."""
        return self.request.GET

    def narrow_filters(self, filters: Any) -> None:
        """Take away choices that the reader may not see; called before the filters are read."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        rows = self.get_queryset()
        filters = None
        if self.filterset_class is not None:
            filters = self.filterset_class(self.filter_data(), queryset=rows, request=self.request)
            self.narrow_filters(filters)
            rows = filters.qs
        table = self.table_class(rows)
        size = page_size(self.request)
        show_page(table, self.request, size)
        return {
            **context,
            "title": self.title,
            "lead": self.lead,
            "empty_text": self.empty_text,
            "export_table": self.export_table,
            "table": table,
            "filters": filters,
            "chips": filter_chips(filters, self.request) if filters is not None else [],
            "page_size": size,
            "page_sizes": PAGE_SIZES,
        }


def show_page(table: django_tables2.Table, request: HttpRequest, size: int) -> None:
    """Sort a table and show the page that the address asks for: nonsense is the first, too far the last.

    The table must have been made without the request: it would take any size of page from it.
    """
    django_tables2.RequestConfig(request, paginate=False).configure(table)
    try:
        table.paginate(page=request.GET.get("page", 1), per_page=size)
    except PageNotAnInteger:
        table.page = table.paginator.page(1)
    except EmptyPage:
        number = str(request.GET.get("page", ""))
        table.page = table.paginator.page(
            1 if number.startswith("-") else table.paginator.num_pages
        )


def page_size(request: HttpRequest) -> int:
    asked = request.GET.get("per_page", "")
    return int(asked) if asked.isdecimal() and int(asked) in PAGE_SIZES else PAGE_SIZES[0]


def filter_chips(filters: django_filters.FilterSet, request: HttpRequest) -> list[dict[str, str]]:
    """The filters that the address asks for, each with the words of its choice."""
    chips = []
    for name, field in filters.form.fields.items():
        value = filters.form.cleaned_data.get(name) if filters.form.is_bound else None
        if (
            name not in request.GET
            or value in (None, "", [], False)
            or (hasattr(value, "exists") and not value)
        ):
            continue
        chips.append({"name": name, "label": str(field.label), "text": _choice_text(field, value)})
    return chips


def _choice_text(field: forms.Field, value: Any) -> str:
    """The label of a chosen code; the words of anything else (a supplier, a day, a text)."""
    if isinstance(field, forms.ChoiceField) and isinstance(value, str):
        for code, label in field.choices:
            if str(code) == value:
                return str(label)
    return str(value)


def describe_permission(name: str) -> str:
    """The missing permission in words, and the roles that carry it."""
    app, codename = name.split(".", 1)
    found = (
        Permission.objects.filter(content_type__app_label=app, codename=codename)
        .prefetch_related("group_set")
        .first()
    )
    label = f"{found.name} ({name})" if found else name
    groups = ", ".join(sorted(group.name for group in found.group_set.all())) if found else ""
    if groups:
        return _("This needs the permission “%(permission)s”. These roles have it: %(groups)s.") % {
            "permission": label,
            "groups": groups,
        }
    return _("This needs the permission “%(permission)s”.") % {"permission": label}


def error_text(error: ValidationError) -> str:
    """The messages of a broken rule as one line for a row or an alert."""
    return " ".join(str(message) for message in error.messages)


def redirect_back(request: HttpRequest, fallback: str) -> HttpResponse:
    """To the page that the form named in ``next``, if it is one of ours; else to ``fallback``."""
    target = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(target, {request.get_host()}, request.is_secure())
    return HttpResponse(status=302, headers={"Location": target if safe else fallback})
