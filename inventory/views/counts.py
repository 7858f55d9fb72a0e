"""Counts: list, new sheet, the sheet in the hand, the differences and what becomes of them."""

import csv
import uuid
from dataclasses import dataclass
from typing import Any, ClassVar

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Page, Paginator
from django.db.models import F, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from catalog.services.defaults import planning_defaults
from catalog.views.base import PAGE_SIZES, describe_permission, error_text, page_size
from inventory.engine.tables.texts import neutralised
from inventory.filters.counts import CountFilter
from inventory.forms.counts import COUNTED, SEEN, NewCountForm, read_figure
from inventory.models import StockCount, StockCountLine
from inventory.selectors.counts import count_lines, people_behind, shows_books, stock_counts
from inventory.services import counts as services
from inventory.services.limits import four_eyes_required
from inventory.tables.counts import CountTable
from inventory.views.base import Scoped, ScopedListPage, ScopedPage

VIEW = "inventory.view_stockcount"
ADD = "inventory.add_stockcount"
CHANGE = "inventory.change_stockcount"
APPROVE = "inventory.approve_stockcount"
STEPS = {"approve": (APPROVE,), "return": (APPROVE,), "cancel": (CHANGE, APPROVE)}
SHOWN = {
    "all": gettext_lazy("All lines"),
    "todo": gettext_lazy("Not counted yet"),
    "different": gettext_lazy("With a difference"),
}


class CountList(ScopedListPage):
    permission_required = VIEW
    template_name = "inventory/counts/list.html"
    table_class = CountTable
    filterset_class = CountFilter
    empty_text = gettext_lazy("A count sheet names what to count; a shop may send snapshots.")

    def get_queryset(self) -> QuerySet[StockCount]:
        return stock_counts(scope=self.scope, user=self.request.user)

    def filter_data(self) -> Any:
        data = self.request.GET.copy()
        if not data.get("state"):
            data["state"] = "unposted"
        return data

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        for row in context["table"].paginated_rows:
            row.record.shows_books = shows_books(row.record, self.request.user)
        return {**context, "currency": planning_defaults().currency}


class CountNew(ScopedPage):
    permission_required = (VIEW, ADD)
    template_name = "inventory/counts/new.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        initial = {"idempotency_key": f"page-{uuid.uuid4()}"}
        form = kwargs.pop("form", None) or NewCountForm(scope=self.scope, initial=initial)
        return {**super().get_context_data(**kwargs), "form": form}

    def post(self, request: HttpRequest) -> HttpResponse:
        form = NewCountForm(request.POST, scope=self.scope)
        if form.is_valid():
            data = form.cleaned_data
            try:
                count = services.create_count_sheet(
                    warehouse_id=data["warehouse"].pk,
                    abc_class="" if data["skus"] else data["abc_class"],
                    product_ids=data["skus"],
                    category=None if data["skus"] else data["category"],
                    blind=data["blind"],
                    note=data["note"],
                    by=request.user,
                    at=self.at,
                    idempotency_key=data["idempotency_key"],
                )
            except ValidationError as error:
                form.add_error(None, error_text(error))
            else:
                return redirect("stock-count", pk=count.pk)
        return self.render_to_response(self.get_context_data(form=form), status=422)


@dataclass
class SheetLine:
    """A line as the page shows it: with what was typed where it could not be saved."""

    line: StockCountLine
    typed: str = ""
    problem: str = ""
    percent: float | None = None

    @property
    def name(self) -> str:
        return f"{COUNTED}{self.line.product_id}"

    @property
    def seen_name(self) -> str:
        return f"{SEEN}{self.line.product_id}"


class CountSheet(ScopedPage):
    """One count: the sheet to fill in while it is open, its differences afterwards."""

    permission_required = VIEW
    template_name = "inventory/counts/detail.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        user = self.request.user
        count = get_object_or_404(stock_counts(scope=self.scope, user=user), pk=kwargs["pk"])
        is_open = count.state == StockCount.State.OPEN
        may_count = is_open and user.has_perm(CHANGE)
        may_see = shows_books(count, user)
        show = self.request.GET.get("show", "")
        if show not in SHOWN:
            # an approver looks for what differs; who counts for what is left
            show = "different" if may_see and not is_open else "all"
        page = self.page(count, show)
        waits = count.state == StockCount.State.AWAITING_APPROVAL
        decides = waits and user.has_perm(APPROVE)
        return {
            **context,
            "count": count,
            "may_count": may_count,
            "may_see": may_see,
            "may_approve": decides
            and not (four_eyes_required() and user.pk in people_behind(count)),
            "is_behind": decides and user.pk in people_behind(count),
            "may_cancel": (is_open or waits) and (user.has_perm(CHANGE) or user.has_perm(APPROVE)),
            "uncounted": count.line_count - count.counted_count,
            "page": page,
            "lines": [
                self.shown(line, kwargs.get("typed", {}), kwargs.get("problems", {}))
                for line in page
            ],
            "show": show,
            "shows": [
                (name, words) for name, words in SHOWN.items() if may_see or name != "different"
            ],
            "q": self.request.GET.get("q", ""),
            "page_sizes": PAGE_SIZES,
            "page_size": page_size(self.request),
            "currency": planning_defaults().currency,
        }

    def page(self, count: StockCount, show: str) -> Page:
        rows = count_lines(scope=self.scope, count=count)
        for word in self.request.GET.get("q", "").replace("\x00", "").split():
            rows = rows.filter(Q(product__sku__icontains=word) | Q(product__name__icontains=word))
        if show == "todo":
            rows = rows.filter(counted_quantity__isnull=True)
        elif show == "different" and shows_books(count, self.request.user):
            rows = rows.filter(counted_quantity__isnull=False).exclude(
                counted_quantity=F("book_quantity")
            )
        return Paginator(rows, page_size(self.request)).get_page(self.request.GET.get("page"))

    def shown(
        self, line: StockCountLine, typed: dict[int, str], problems: dict[int, str]
    ) -> SheetLine:
        counted = "" if line.counted_quantity is None else str(line.counted_quantity)
        percent = None
        if line.difference is not None and line.book_quantity:
            percent = abs(line.difference / line.book_quantity)
        return SheetLine(
            line=line,
            typed=typed.get(line.product_id, counted),
            problem=problems.get(line.product_id, ""),
            percent=percent,
        )


class CountEnter(CountSheet):
    """POST what was found on one page of the sheet; with ``then=submit`` the sheet is closed as well."""

    permission_required = (VIEW, CHANGE)
    http_method_names: ClassVar[list[str]] = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        count = get_object_or_404(stock_counts(scope=self.scope, user=request.user), pk=pk)
        typed, seen, entries, problems = self.read(request)
        if not problems:
            try:
                services.enter_count(
                    count_id=count.pk, entries=entries, seen=seen, by=request.user, at=self.at
                )
                if request.POST.get("then") == "submit":
                    return self.submit(count)
            except ValidationError as error:
                problems = by_product(error)
                if not problems:
                    messages.error(request, error_text(error))
            except PermissionDenied as error:
                messages.error(request, str(error))
            else:
                messages.success(request, _("Saved."))
                return redirect(self.address(pk))
        if problems:
            messages.error(request, _("Nothing was saved yet: look at the marked lines."))
        context = self.get_context_data(pk=pk, typed=typed, problems=problems)
        return self.render_to_response(context, status=422)

    def read(
        self, request: HttpRequest
    ) -> tuple[dict[int, str], dict[int, int | None], dict[int, int | None], dict[int, str]]:
        """Return typed texts, figures that stood there, changed figures and problems, by product."""
        typed: dict[int, str] = {}
        seen: dict[int, int | None] = {}
        entries: dict[int, int | None] = {}
        problems: dict[int, str] = {}
        for name, text in request.POST.items():
            number = name.removeprefix(COUNTED)
            if not name.startswith(COUNTED) or not number.isdecimal() or len(number) > 18:
                continue
            product_id = int(number)
            typed[product_id] = str(text)[:40]
            try:
                stood = read_figure(str(request.POST.get(f"{SEEN}{number}", "")))
                figure = read_figure(str(text))
            except ValidationError as error:
                problems[product_id] = error_text(error)
                continue
            if figure != stood:
                entries[product_id], seen[product_id] = figure, stood
        return typed, seen, entries, problems

    def submit(self, count: StockCount) -> HttpResponse:
        done = services.submit_count(
            count_id=count.pk, by=self.request.user, at=self.at,
            leave_uncounted="leave_uncounted" in self.request.POST,
        )  # fmt: skip
        words = {"number": done.number, "state": done.get_state_display()}
        messages.success(self.request, _("Count %(number)s: %(state)s.") % words)
        return redirect("stock-count", pk=count.pk)

    def address(self, pk: int) -> str:
        query = self.request.GET.copy()
        page = query.get("page", "1")
        if self.request.POST.get("then") == "next" and page.isdecimal() and len(page) < 6:
            query["page"] = str(int(page) + 1)
        return reverse("stock-count", args=[pk]) + (f"?{query.urlencode()}" if query else "")


class CountStep(Scoped):
    """POST a decision on a count: approve, return, cancel."""

    permission_required = VIEW

    def post(self, request: HttpRequest, pk: int, step: str) -> HttpResponse:
        if step not in STEPS:
            raise Http404
        if not any(request.user.has_perm(permission) for permission in STEPS[step]):
            raise PermissionDenied(describe_permission(STEPS[step][0]))
        count = get_object_or_404(stock_counts(scope=self.scope, user=request.user), pk=pk)
        try:
            done = self.take(step, count)
        except ValidationError as error:
            messages.error(request, error_text(error))
        except PermissionDenied as error:
            messages.error(request, str(error))
        else:
            words = {"number": done.number, "state": done.get_state_display()}
            messages.success(request, _("Count %(number)s: %(state)s.") % words)
        return redirect("stock-count", pk=pk)

    def take(self, step: str, count: StockCount) -> StockCount:
        version = self.request.POST.get("version", "")
        known: dict[str, Any] = {
            "count_id": count.pk,
            "by": self.request.user,
            "at": self.at,
            "version": int(version) if version.isdecimal() and len(version) < 10 else None,
        }
        note = self.request.POST.get("note", "")
        if step == "approve":
            return services.approve_count(**known)
        if step == "return":
            return services.return_count(**known, note=note)
        return services.cancel_count(**known, note=note)


class CountFile(Scoped):
    """The sheet as CSV, to print or to fill in; the books only for who may see them."""

    permission_required = VIEW

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        count = get_object_or_404(stock_counts(scope=self.scope, user=request.user), pk=pk)
        may_see = shows_books(count, request.user)
        answer = HttpResponse(content_type="text/csv; charset=utf-8")
        answer["Content-Disposition"] = f'attachment; filename="{count.number}.csv"'
        rows = csv.writer(answer)
        rows.writerow(
            ["sku", "name", "unit", "counted", *(["books", "difference"] if may_see else [])]
        )
        for line in count_lines(scope=self.scope, count=count).iterator(chunk_size=2000):
            books = [line.book_quantity, line.difference] if may_see else []
            product = line.product
            texts = [neutralised(text) for text in (product.sku, product.name, product.unit)]
            rows.writerow([*texts, line.counted_quantity, *books])
        return answer


def by_product(error: ValidationError) -> dict[int, str]:
    """The problems of lines: product id → words; empty when the error is about something else."""
    found = {}
    for name, errors in getattr(error, "error_dict", {}).items():
        product_id = name.removeprefix("entries.")
        if product_id.isdecimal():
            found[int(product_id)] = " ".join(text for one in errors for text in one.messages)
    return found
