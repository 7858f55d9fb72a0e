"""Stock documents: list, one document, a new one; and taking movements back."""

import uuid
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from catalog.models import Product
from catalog.views.base import error_text
from inventory.filters.documents import DocumentFilter
from inventory.forms.documents import DocumentForm, ReverseForm
from inventory.models import StockDocument, StockMovement
from inventory.selectors.documents import document_lines, stock_documents
from inventory.selectors.ledger import movements
from inventory.services.documents import post_document
from inventory.services.reversals import (
    belongs_elsewhere,
    reverse_document,
    reverse_stock_movement,
)
from inventory.tables.documents import DocumentTable
from inventory.views.base import ScopedListPage, ScopedPage
from inventory.views.lines import LinesPage

REVERSE = "inventory.reverse_stockmovement"
SKU_OPTIONS = 20


class DocumentList(ScopedListPage):
    permission_required = "inventory.view_stockdocument"
    template_name = "inventory/documents/list.html"
    table_class = DocumentTable
    filterset_class = DocumentFilter
    title = _("Stock documents")
    lead = _("Adjustments, write-offs, issues for own use and returns to suppliers.")
    empty_text = _("A document appears when somebody posts one.")

    def get_queryset(self) -> QuerySet[StockDocument]:
        return stock_documents(scope=self.scope)


class DocumentDetail(ScopedPage):
    permission_required = "inventory.view_stockdocument"
    template_name = "inventory/documents/detail.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        document = get_object_or_404(stock_documents(scope=self.scope), pk=kwargs["pk"])
        lines = list(document_lines(scope=self.scope, document=document))
        open_lines = [line for line in lines if not hasattr(line.movement, "reversed_by")]
        return {
            **context,
            "document": document,
            "lines": lines,
            "may_reverse": bool(open_lines) and self.request.user.has_perm(REVERSE),
            "form": kwargs.get("form") or new_reversal(),
        }


class DocumentReverse(DocumentDetail):
    """POST: take back what the document moved."""

    permission_required = ("inventory.view_stockdocument", REVERSE)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        document = get_object_or_404(stock_documents(scope=self.scope), pk=pk)
        form = ReverseForm(request.POST)
        if form.is_valid():
            try:
                reverse_document(document_id=pk, by=request.user, at=self.at, **form.cleaned_data)
            except (ValidationError, PermissionDenied) as error:
                form.add_error(None, words_of(error))
            else:
                words = _now("%(number)s was taken back.") % {"number": document.number}
                messages.success(request, words)
                return redirect("stock-document", pk=pk)
        context = self.get_context_data(pk=pk, form=form)
        return self.render_to_response(context, status=422)


class DocumentNew(LinesPage):
    permission_required = ("inventory.view_stockdocument", "inventory.add_stockdocument")
    template_name = "inventory/documents/new.html"

    def make_form(self, data: QueryDict | None) -> DocumentForm:
        if data is not None:
            return DocumentForm(data, scope=self.scope)
        asked = self.request.GET
        return DocumentForm(
            initial={
                "kind": asked.get("kind", StockDocument.Kind.ADJUSTMENT),
                "warehouse": asked.get("warehouse"),
                "new_sku": asked.get("sku", "")[:60],
            },
            scope=self.scope,
        )

    def send(self, form: DocumentForm) -> str:
        data = form.cleaned_data
        document = post_document(
            kind=data["kind"],
            warehouse_id=data["warehouse"].pk,
            lines=form.items(),
            reason_code=data["reason"].code,
            note=data["note"],
            supplier_id=None if data["supplier"] is None else data["supplier"].pk,
            by=self.request.user,
            at=self.at,
            happened_at=form.happened(),
            idempotency_key=data["idempotency_key"],
        )
        words = _now("%(number)s is posted.") % {"number": document.number}
        messages.success(self.request, words)
        return reverse("stock-document", args=[document.pk])


class SkuOptions(ScopedPage):
    """The products that a half-typed SKU or name may mean, as options of the entry field."""

    permission_required = "catalog.view_product"
    template_name = "inventory/documents/sku_options.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        typed = self.request.GET.get("new_sku", "").replace("\x00", "").strip()[:60]
        rows = Product.objects.none()
        if typed:
            rows = Product.objects.filter(sku__istartswith=typed) | Product.objects.filter(
                name__icontains=typed
            )
        found = self.scope.restrict(rows, product="", warehouse=None).order_by("sku")
        return {**super().get_context_data(**kwargs), "products": found[:SKU_OPTIONS]}


class MovementReverse(ScopedPage):
    """Ask why a movement of the ledger is taken back, and do it."""

    permission_required = ("inventory.view_stockmovement", REVERSE)
    template_name = "inventory/documents/reverse.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        movement = self.movement()
        reversal = getattr(movement, "reversed_by", None)
        refusal = belongs_elsewhere(movement)
        if reversal is not None:
            refusal = _now("This movement was reversed already.")
        elif movement.reverses_id is not None:
            refusal = _now("A reversal cannot be reversed.")
        return {
            **context,
            "movement": movement,
            "refusal": refusal,
            "form": kwargs.get("form") or new_reversal(),
        }

    def movement(self) -> StockMovement:
        row: StockMovement = get_object_or_404(movements(scope=self.scope), pk=self.kwargs["pk"])
        return row

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        movement = self.movement()
        form = ReverseForm(request.POST)
        if form.is_valid():
            try:
                reverse_stock_movement(
                    movement_id=pk, by=request.user, at=self.at, **form.cleaned_data
                )
            except (ValidationError, PermissionDenied) as error:
                form.add_error(None, words_of(error))
            else:
                messages.success(request, _now("The movement was taken back."))
                return redirect("stock-item", movement.product.sku, movement.warehouse.code)
        context = self.get_context_data(pk=pk, form=form)
        return self.render_to_response(context, status=422)


def new_reversal() -> ReverseForm:
    return ReverseForm(initial={"idempotency_key": f"page-{uuid.uuid4()}"})


def words_of(error: ValidationError | PermissionDenied) -> str:
    return error_text(error) if isinstance(error, ValidationError) else str(error)
