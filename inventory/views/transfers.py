"""Transfers: list, a draft, one transfer with its steps on the road."""

import uuid
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from inventory.filters.documents import TransferFilter
from inventory.forms.lines import EnteredRow
from inventory.forms.transfers import GiveUpForm, StepForm, TransferForm
from inventory.models import Transfer, TransferLine
from inventory.selectors.documents import sees_warehouse, transfer_lines, transfer_steps, transfers
from inventory.services.transfer_lots import lots_in_transit
from inventory.services.transfer_steps import give_up_transfer, receive_transfer, ship_transfer
from inventory.services.transfers import cancel_transfer, create_transfer, edit_transfer
from inventory.tables.documents import TransferTable
from inventory.views.base import ScopedListPage, ScopedPage
from inventory.views.documents import words_of
from inventory.views.lines import LinesPage
from inventory.views.orders import seen_version

ADD, MOVE = "inventory.add_transfer", "inventory.change_transfer"
ON_THE_ROAD = (Transfer.State.IN_TRANSIT, Transfer.State.PART_RECEIVED)


class TransferList(ScopedListPage):
    permission_required = "inventory.view_transfer"
    template_name = "inventory/transfers/list.html"
    table_class = TransferTable
    filterset_class = TransferFilter
    title = _("Transfers")
    lead = _("Goods between your warehouses: asked for, on the road, arrived.")
    empty_text = _("A transfer is written by hand, or comes from an approved suggestion.")

    def get_queryset(self) -> QuerySet[Transfer]:
        return transfers(scope=self.scope)

    def filter_data(self) -> Any:
        data = self.request.GET.copy()
        if not data.get("state"):
            data["state"] = "open"
        return data


class TransferDetail(ScopedPage):
    permission_required = "inventory.view_transfer"
    template_name = "inventory/transfers/detail.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        transfer = self.transfer()
        lines = list(transfer_lines(scope=self.scope, transfer=transfer))
        user = self.request.user
        is_draft = transfer.state == Transfer.State.DRAFT
        on_the_road = transfer.state in ON_THE_ROAD
        sees = {
            end: sees_warehouse(scope=self.scope, warehouse_id=getattr(transfer, f"{end}_id"))
            for end in ("source", "destination")
        }
        form = kwargs.get("form")
        step_form = form if isinstance(form, StepForm) else self.step_form(transfer, lines, None)
        return {
            **context,
            "transfer": transfer,
            "lines": lines,
            "steps": transfer_steps(scope=self.scope, transfer=transfer),
            "may_edit": is_draft and user.has_perm(ADD) and all(sees.values()),
            "may_ship": is_draft and user.has_perm(MOVE) and sees["source"],
            "may_receive": on_the_road and user.has_perm(MOVE) and sees["destination"],
            "form": step_form,
            "give_up_form": form if isinstance(form, GiveUpForm) else new_give_up(),
        }

    def transfer(self) -> Transfer:
        row: Transfer = get_object_or_404(transfers(scope=self.scope), pk=self.kwargs["pk"])
        return row

    def step_form(
        self, transfer: Transfer, lines: list[TransferLine], data: QueryDict | None
    ) -> StepForm:
        """What can leave of a draft, or arrive of what is on the road."""
        key = {} if data else {"initial": {"idempotency_key": f"page-{uuid.uuid4()}"}}
        if transfer.state == Transfer.State.DRAFT:
            most = {line.pk: line.quantity for line in lines}
            return StepForm(data, lines=lines, most=most, **key)
        most = {line.pk: line.in_transit_quantity for line in lines}
        tracked = [line.pk for line in lines if line.product.tracks_lots]
        lots = lots_in_transit(tracked) if tracked else {}
        return StepForm(data, lines=lines, most=most, lots=lots, **key)


class TransferStep(TransferDetail):
    """POST one step: ship, receive, lose (give up) or cancel."""

    permission_required = "inventory.view_transfer"
    http_method_names = ["post"]
    STEPS = ("ship", "receive", "lose", "cancel")

    def post(self, request: HttpRequest, pk: int, step: str) -> HttpResponse:
        if step not in self.STEPS:
            raise Http404
        transfer = self.transfer()
        lines = list(transfer_lines(scope=self.scope, transfer=transfer))
        form = self.form_of(step, transfer, lines)
        if form is None or form.is_valid():
            try:
                self.take(step, transfer, form)
            except (ValidationError, PermissionDenied) as error:
                if form is None or not self.show(form, error):
                    messages.error(request, words_of(error))
                    return redirect("transfer", pk=pk)
            else:
                transfer.refresh_from_db()
                words = {"number": transfer.number, "state": transfer.get_state_display()}
                messages.success(request, _now("Transfer %(number)s: %(state)s.") % words)
                return redirect("transfer", pk=pk)
        context = self.get_context_data(pk=pk, form=form)
        return self.render_to_response(context, status=422)

    def form_of(
        self, step: str, transfer: Transfer, lines: list[TransferLine]
    ) -> StepForm | GiveUpForm | None:
        if step == "cancel":
            return None
        if step == "lose":
            return GiveUpForm(self.request.POST)
        return self.step_form(transfer, lines, self.request.POST)

    def take(self, step: str, transfer: Transfer, form: Any) -> None:
        known: dict[str, Any] = {
            "transfer_id": transfer.pk, "by": self.request.user, "at": self.at,
        }  # fmt: skip
        version = seen_version(self.request)
        if form is None:
            note = self.request.POST.get("note", "")
            cancel_transfer(**known, version=version, note=note)
            return
        known["idempotency_key"] = form.cleaned_data["idempotency_key"]
        known["note"] = form.cleaned_data["note"]
        if step == "lose":
            give_up_transfer(**known)
        elif step == "ship":
            ship_transfer(**known, quantities=form.quantities(), version=version)
        else:
            receive_transfer(**known, quantities=form.quantities(), lots=form.named_lots())

    def show(self, form: Any, error: ValidationError | PermissionDenied) -> bool:
        """Put the error beside its field; return whether the form is still there to show it."""
        if not isinstance(error, ValidationError):
            return False
        if getattr(error, "code", "") in ("invalid_transition", "stale_version"):
            return False
        if not hasattr(error, "error_dict"):
            form.add_error(None, error.messages)
            return True
        for name, found in error.message_dict.items():
            form.add_error(name if name in form.fields else None, found)
        return True


class TransferNew(LinesPage):
    permission_required = ("inventory.view_transfer", ADD)
    template_name = "inventory/transfers/form.html"

    def make_form(self, data: QueryDict | None) -> TransferForm:
        if data is not None:
            return TransferForm(data, scope=self.scope)
        asked = self.request.GET
        return TransferForm(
            initial={
                "source": asked.get("source"),
                "destination": asked.get("destination"),
                "new_sku": asked.get("sku", "")[:60],
            },
            scope=self.scope,
        )

    def send(self, form: TransferForm) -> str:
        data = form.cleaned_data
        transfer = create_transfer(
            source_id=data["source"].pk, destination_id=data["destination"].pk, lines=form.items(),
            by=self.request.user, at=self.at, idempotency_key=data["idempotency_key"],
            expected_on=data["expected_on"], note=data["note"],
        )  # fmt: skip
        words = _now("%(number)s is written; it leaves when it is shipped.")
        messages.success(self.request, words % {"number": transfer.number})
        return reverse("transfer", args=[transfer.pk])


class TransferEdit(TransferNew):
    """Change the hand-written lines of a draft."""

    def transfer(self) -> Transfer:
        drafts = transfers(scope=self.scope).filter(state=Transfer.State.DRAFT)
        row: Transfer = get_object_or_404(drafts, pk=self.kwargs["pk"])
        return row

    def make_form(self, data: QueryDict | None) -> TransferForm:
        transfer = self.transfer()
        lines = transfer_lines(scope=self.scope, transfer=transfer)
        needs_rows = not lines.filter(suggestion__isnull=False).exists()
        if data is not None:
            form = TransferForm(data, scope=self.scope, has_route=True)
            form.needs_rows = needs_rows
            return form
        form = TransferForm(
            initial={
                "expected_on": transfer.expected_on,
                "note": transfer.note,
                "version": transfer.version,
            },
            scope=self.scope,
            has_route=True,
        )
        rows = [
            EnteredRow(line.product.sku, str(line.quantity), number=number)
            for number, line in enumerate(lines.filter(suggestion=None))
        ]
        form.show(rows)
        return form

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        transfer = self.transfer()
        lines = transfer_lines(scope=self.scope, transfer=transfer)
        return {
            **super().get_context_data(**kwargs),
            "transfer": transfer,
            "decided_lines": lines.filter(suggestion__isnull=False),
        }

    def send(self, form: TransferForm) -> str:
        transfer, data = self.transfer(), form.cleaned_data
        edit_transfer(
            transfer_id=transfer.pk, lines=form.items(), by=self.request.user, at=self.at,
            version=data["version"], expected_on=data["expected_on"], note=data["note"],
        )  # fmt: skip
        messages.success(
            self.request, _now("%(number)s was changed.") % {"number": transfer.number}
        )
        return reverse("transfer", args=[transfer.pk])


def new_give_up() -> GiveUpForm:
    return GiveUpForm(initial={"idempotency_key": f"page-{uuid.uuid4()}"})
