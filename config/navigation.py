"""The menu, as one list."""

from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class Entry:
    """A link of the menu; an entry with ``children`` opens them. Shown to who holds the permission."""

    label: str | Promise
    icon: str
    route: str = ""
    permission: str = ""
    children: tuple["Entry", ...] = field(default=())


MENU = (
    Entry(_("Today"), "layout-dashboard", "today"),
    Entry(_("Suggestions"), "list", "suggestions", "inventory.view_suggestion"),
    Entry(_("Approvals"), "checks", "approvals", "inventory.view_suggestion"),
    Entry(
        _("Purchasing"),
        "truck",
        children=(
            Entry(_("Purchase orders"), "truck", "purchase-orders", "inventory.view_purchaseorder"),
            Entry(
                _("Automatic approvals"),
                "robot",
                "auto-approvals",
                "inventory.view_autoapprovalpolicy",
            ),
            Entry(
                _("Exchange rates"),
                "currency-euro",
                "exchange-rates",
                "catalog.view_exchangerate",
            ),
        ),
    ),
    Entry(
        _("Customers"),
        "shopping-cart",
        children=(
            Entry(
                _("Customer orders"),
                "shopping-cart",
                "customer-orders",
                "inventory.view_customerorder",
            ),
            Entry(_("Customers"), "users", "customers", "inventory.view_customer"),
            Entry(_("Webhooks"), "webhook", "webhooks", "inventory.view_webhooksource"),
        ),
    ),
    Entry(
        _("Stock"),
        "building-warehouse",
        children=(
            Entry(_("Stock"), "building-warehouse", "stock", "inventory.view_stocklevel"),
            Entry(
                _("Stock documents"),
                "file-text",
                "stock-documents",
                "inventory.view_stockdocument",
            ),
            Entry(_("Transfers"), "transfer", "transfers", "inventory.view_transfer"),
            Entry(_("Counts"), "clipboard-list", "stock-counts", "inventory.view_stockcount"),
            Entry(
                _("Discrepancies"),
                "alert-triangle",
                "stock-discrepancies",
                "inventory.view_stockdiscrepancy",
            ),
            Entry(_("Closed periods"), "lock", "closed-periods", "inventory.close_period"),
        ),
    ),
    Entry(
        _("Catalogue"),
        "packages",
        children=(
            Entry(_("Products"), "package", "products", "catalog.view_product"),
            Entry(_("Suppliers"), "building-factory", "suppliers", "catalog.view_supplier"),
        ),
    ),
    Entry(
        _("Learning"),
        "brain",
        children=(
            Entry(_("Models and accuracy"), "chart-line", "models", "forecasting.view_artifact"),
            Entry(_("Recommendations"), "sparkles", "recommendations", "catalog.view_product"),
            Entry(_("Runs"), "activity", "runs", "catalog.view_run"),
        ),
    ),
    Entry(
        _("Data"),
        "database",
        children=(
            Entry(_("Imports"), "file-import", "imports", "inventory.view_importbatch"),
            Entry(_("Tables"), "table-import", "tables", "inventory.view_tableimport"),
            Entry(_("Audit"), "history", "audit", "catalog.view_auditentry"),
            Entry(_("Set-up checklist"), "clipboard-check", "setup", "catalog.view_product"),
            Entry(
                _("Planning defaults"),
                "adjustments",
                "planning-defaults",
                "catalog.view_planningdefaults",
            ),
        ),
    ),
)


def navigation(request: HttpRequest) -> dict[str, Any]:
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {"navigation": []}
    return {"navigation": [link for entry in MENU if (link := _link(entry, request))]}


def _link(entry: Entry, request: HttpRequest) -> dict[str, Any] | None:
    children = [link for child in entry.children if (link := _link(child, request))]
    if entry.children:
        if not children:
            return None
        active = any(child["active"] for child in children)
        return {"label": entry.label, "icon": entry.icon, "children": children, "active": active}
    if entry.permission and not request.user.has_perm(entry.permission):
        return None
    try:
        address = reverse(entry.route)
    except NoReverseMatch:
        return None
    active = request.path == address or (address != "/" and request.path.startswith(address))
    return {"label": entry.label, "icon": entry.icon, "address": address, "active": active}
