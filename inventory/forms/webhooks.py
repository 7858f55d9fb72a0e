"""The form of a new source of messages, and of a secret that the shop has made itself."""

from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.utils.translation import gettext_lazy as _

from inventory.models import Warehouse, WebhookSource
from inventory.selectors.scope import Scope


class SecretForm(forms.Form):
    secret = forms.CharField(
        label=_("The shop's own secret"), max_length=120, required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text=_("Shopify shows one beside its webhooks. Empty: Granary makes one."),
    )  # fmt: skip


class SourceForm(SecretForm):
    code = forms.SlugField(
        label=_("Code"), max_length=40, help_text=_("Part of the address that the shop sends to.")
    )
    kind = forms.ChoiceField(label=_("Kind of shop"), choices=WebhookSource.Kind.choices)
    user = forms.ModelChoiceField(
        label=_("Acts as"), queryset=None, empty_label=_("Choose…"),
        help_text=_("With the rights and the scope of this user."),
    )  # fmt: skip
    warehouse = forms.ModelChoiceField(
        label=_("Ships from"), queryset=Warehouse.objects.none(), empty_label=_("Choose…")
    )
    channel = forms.CharField(label=_("Sales channel"), max_length=24, initial="shop")

    field_order = ("code", "kind", "user", "warehouse", "channel", "secret")

    def __init__(self, *args: Any, scope: Scope, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        users: Any = self.fields["user"]
        users.queryset = (
            get_user_model()
            .objects.with_perm(
                "inventory.add_customerorder", include_superusers=False,
                backend="django.contrib.auth.backends.ModelBackend",
            )
            .order_by("username")
        )  # fmt: skip
        warehouses: Any = self.fields["warehouse"]
        warehouses.queryset = scope.restrict(
            Warehouse.objects.filter(is_active=True), product=None, warehouse=""
        )
