"""Webhooks: which shops send messages, what became of each, and the secrets, each shown once."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from catalog.views.base import error_text
from inventory.filters.customer_pages import DeliveryFilter
from inventory.forms.webhooks import SecretForm, SourceForm
from inventory.models import WebhookDelivery, WebhookSource
from inventory.selectors.webhooks import deliveries, sources
from inventory.services.webhooks import ADD, CHANGE, create_source, rotate_secret, switch_source
from inventory.tables.customer_pages import DeliveryTable
from inventory.views.base import Scoped, ScopedListPage


class WebhookPage(ScopedListPage):
    """Sources with their addresses, and the latest messages."""

    permission_required = "inventory.view_webhooksource"
    template_name = "inventory/webhooks/list.html"
    table_class = DeliveryTable
    filterset_class = DeliveryFilter
    title = gettext_lazy("Webhooks")
    lead = gettext_lazy("Shops send their orders here, signed with a secret.")
    empty_text = gettext_lazy("No message has come yet.")

    def get_queryset(self) -> QuerySet[WebhookDelivery]:
        self.request.granary_scope = self.scope
        if not self.request.user.has_perm("inventory.view_webhookdelivery"):
            return WebhookDelivery.objects.none()
        return deliveries(scope=self.scope)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        base = self.request.build_absolute_uri(reverse("api:webhook", args=["CODE"]))
        found = list(sources(scope=self.scope))
        return {
            **super().get_context_data(**kwargs),
            "sources": [(row, base.replace("CODE", row.code)) for row in found],
            "form": kwargs.get("form") or SourceForm(scope=self.scope),
            "secret_form": kwargs.get("secret_form") or SecretForm(auto_id="rotate_%s"),
            "may_add": self.request.user.has_perm(ADD),
            "may_change": self.request.user.has_perm(CHANGE),
            "shown": kwargs.get("shown"),
            "fresh_secret": kwargs.get("fresh_secret", ""),
        }

    def show_secret(self, source: WebhookSource, secret: str) -> HttpResponse:
        """Answer with the secret instead of redirecting: it is kept nowhere on the way."""
        context = self.get_context_data(shown=source, fresh_secret=secret)
        return self.render_to_response(context, headers={"Cache-Control": "no-store"})


class WebhookCreate(WebhookPage):
    permission_required = ("inventory.view_webhooksource", ADD)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return redirect("webhooks")

    def post(self, request: HttpRequest) -> HttpResponse:
        form = SourceForm(request.POST, scope=self.scope)
        if form.is_valid():
            data = form.cleaned_data
            try:
                source, secret = create_source(
                    code=data["code"], kind=data["kind"], user_id=data["user"].pk,
                    warehouse_id=data["warehouse"].pk, channel=data["channel"],
                    secret=data["secret"], by=request.user, at=self.at,
                )  # fmt: skip
            except ValidationError as error:
                for name, found in getattr(error, "error_dict", {None: [error]}).items():
                    form.add_error(name if name in form.fields else None, found)
            except PermissionDenied as error:
                form.add_error(None, str(error))
            else:
                return self.show_secret(source, secret)
        return self.render_to_response(self.get_context_data(form=form), status=422)


class WebhookRotate(WebhookPage):
    """POST: a new secret; the old one is refused at once."""

    permission_required = ("inventory.view_webhooksource", CHANGE)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return redirect("webhooks")

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        source = get_object_or_404(sources(scope=self.scope), pk=pk)
        form = SecretForm(request.POST, auto_id="rotate_%s")
        try:
            given = form.cleaned_data["secret"] if form.is_valid() else "?"
            row, secret = rotate_secret(
                source_id=source.pk, by=request.user, at=self.at, secret=given
            )
        except ValidationError as error:
            messages.error(request, error_text(error))
            return redirect("webhooks")
        return self.show_secret(row, secret)


class WebhookSwitch(Scoped):
    """POST: refuse the messages of a source from now on, or take them again."""

    permission_required = ("inventory.view_webhooksource", CHANGE)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        source = get_object_or_404(sources(scope=self.scope), pk=pk)
        is_active = request.POST.get("is_active") == "1"
        switch_source(source_id=source.pk, is_active=is_active, by=request.user, at=self.at)
        text = (
            _("%(code)s is on.") if is_active else _("%(code)s is off: its messages are refused.")
        )
        messages.success(request, text % {"code": source.code})
        return redirect("webhooks")
