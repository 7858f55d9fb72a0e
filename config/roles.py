"""Roles of the business: groups with their permissions, first limits, reasons for deciding otherwise.

`manage.py setup_roles` writes them. It adds what is missing and takes no edit of a person back: limits
and reason codes that exist stay as they are.
"""

from collections.abc import Iterable
from decimal import Decimal

from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_noop

from catalog.models import PlanningDefaults, Product, Supplier
from inventory.models import ApprovalLimit, ReasonCode

VIEW_CATALOG = (
    "catalog.view_category", "catalog.view_product", "catalog.view_productrelation",
    "catalog.view_price", "catalog.view_promotion", "catalog.view_region", "catalog.view_supplier",
    "catalog.view_supplierclosure", "catalog.view_supplierproduct", "catalog.view_run",
    "catalog.view_planningdefaults", "catalog.view_exchangerate", "catalog.view_pricebreak",
)  # fmt: skip
VIEW_INVENTORY = (
    "inventory.view_warehouse", "inventory.view_stocklevel", "inventory.view_stockmovement",
    "inventory.view_stockdiscrepancy", "inventory.view_sale", "inventory.view_return",
    "inventory.view_demandday", "inventory.view_importbatch", "inventory.view_suggestion",
    "inventory.view_decision", "inventory.view_reasoncode", "inventory.view_approvallimit",
    "inventory.view_purchaseorder", "inventory.view_purchaseorderline", "inventory.view_receipt",
    "inventory.view_receiptline", "inventory.view_lot", "inventory.view_lotlevel",
    "inventory.view_customerorder", "inventory.view_customerorderline",
    "inventory.view_reservation", "inventory.view_shipment", "inventory.view_stockdocument",
    "inventory.view_transfer", "inventory.view_stockcount", "inventory.view_stockcountline",
    "inventory.view_tableimport",
)  # fmt: skip
VIEW_FORECASTING = (
    "forecasting.view_artifact", "forecasting.view_backtest", "forecasting.view_forecastrun",
    "forecasting.view_forecast", "forecasting.view_policy", "forecasting.view_policyevaluation",
)  # fmt: skip
VIEW = VIEW_CATALOG + VIEW_INVENTORY + VIEW_FORECASTING
CHANGE_SUPPLY = (
    "catalog.add_supplier", "catalog.change_supplier", "catalog.add_supplierproduct",
    "catalog.change_supplierproduct", "catalog.add_supplierclosure",
    "catalog.change_supplierclosure", "catalog.delete_supplierclosure", "catalog.add_pricebreak",
    "catalog.change_pricebreak", "catalog.delete_pricebreak", "catalog.add_exchangerate",
    "catalog.change_exchangerate", "inventory.add_tableimport",
)  # fmt: skip
CHANGE_PRODUCTS = (
    "catalog.add_product", "catalog.change_product", "catalog.add_category",
    "catalog.change_category", "catalog.add_price", "catalog.change_price",
    "catalog.add_promotion", "catalog.change_promotion", "catalog.add_productrelation",
    "catalog.change_productrelation", "catalog.change_planningdefaults",
)  # fmt: skip

ROLES: dict[str, tuple[str, ...]] = {
    "viewer": VIEW,
    "planner": (
        *VIEW, *CHANGE_PRODUCTS, "inventory.decide_suggestion", "inventory.change_suggestion",
        "inventory.add_importbatch", "inventory.add_tableimport", "inventory.add_transfer",
        "inventory.view_customer", "inventory.view_autoapprovalpolicy",
        "inventory.add_autoapprovalpolicy", "catalog.add_run", "catalog.change_run",
    ),
    "buyer": (
        *VIEW, *CHANGE_SUPPLY, "inventory.decide_suggestion", "inventory.change_suggestion",
        "inventory.add_purchaseorder", "inventory.change_purchaseorder",
        "inventory.send_purchaseorder", "inventory.receive_purchaseorder",
        "inventory.view_autoapprovalpolicy", "inventory.add_autoapprovalpolicy",
    ),
    "stock_keeper": (
        *VIEW, "inventory.receive_purchaseorder", "inventory.add_stockmovement",
        "inventory.change_stockdiscrepancy", "inventory.add_stockdocument",
        "inventory.add_transfer", "inventory.change_transfer", "inventory.add_stockcount",
        "inventory.change_stockcount", "inventory.ship_customerorder",
        "inventory.add_reservation", "inventory.change_reservation", "inventory.view_customer",
        "inventory.add_customerorder", "inventory.change_customerorder",
        "inventory.cancel_customerorder", "inventory.add_tableimport",
    ),
    "approver": (
        *VIEW, "inventory.decide_suggestion", "inventory.change_suggestion",
        "inventory.second_approve_suggestion", "inventory.approve_purchaseorder",
        "inventory.approve_stockcount", "inventory.close_period",
        "inventory.backdate_stockmovement", "inventory.reverse_stockmovement",
        "inventory.view_customer", "inventory.change_customer", "catalog.view_auditentry",
        "inventory.view_autoapprovalpolicy", "inventory.change_autoapprovalpolicy",
    ),
    "auditor": (
        *VIEW, "inventory.view_customer", "inventory.view_paymentreport",
        "inventory.view_ledgerseal", "inventory.view_autoapprovalpolicy",
        "inventory.view_webhooksource", "inventory.view_webhookdelivery",
        "catalog.view_auditentry",
    ),
    # the account that the shop's API key acts for
    "shop": (
        "catalog.view_product", "inventory.add_sale", "inventory.add_return",
        "inventory.view_stocklevel", "inventory.view_customerorder",
        "inventory.add_customerorder", "inventory.change_customerorder",
        "inventory.ship_customerorder", "inventory.cancel_customerorder",
        "inventory.add_stockcount",
    ),
}  # fmt: skip
# Administrators keep the installation running; buying is not theirs.
ADMIN_APPS = ("catalog", "inventory", "forecasting", "recommendations", "auth")
BUSINESS_RIGHTS = (
    "decide_suggestion", "second_approve_suggestion", "send_purchaseorder",
    "approve_purchaseorder", "receive_purchaseorder", "approve_stockcount", "close_period",
    "backdate_stockmovement", "reverse_stockmovement", "ship_customerorder",
    "cancel_customerorder",
)  # fmt: skip

# Every supplier is new to a fresh installation, so nobody is held up by that at first.
FIRST_LIMITS: dict[str, dict[str, Decimal | int | bool | None]] = {
    "planner": {
        "max_line_value": Decimal(2000), "max_order_value": Decimal(10000),
        "max_deviation_percent": 100, "max_supplier_value_per_day": Decimal(20000),
        "allows_new_supplier": True,
    },
    "buyer": {
        "max_line_value": Decimal(5000), "max_order_value": Decimal(20000),
        "max_deviation_percent": 200, "max_supplier_value_per_day": Decimal(40000),
        "allows_new_supplier": True,
    },
    "approver": {
        "max_line_value": None, "max_order_value": None, "max_deviation_percent": None,
        "max_supplier_value_per_day": None, "allows_new_supplier": True,
    },
}  # fmt: skip

REASONS = (
    ("promotion", gettext_noop("Promotion or event known"), False),
    ("customer_order", gettext_noop("Customer order known"), False),
    ("supplier_constraint", gettext_noop("Supplier constraint"), False),
    ("minimum_order", gettext_noop("Minimum order or freight"), False),
    ("price_increase", gettext_noop("Price increase ahead"), False),
    ("phase_in", gettext_noop("Phase-in"), False),
    ("phase_out", gettext_noop("Phase-out or substitute"), False),
    ("quality", gettext_noop("Quality or recall"), False),
    ("budget", gettext_noop("Budget"), False),
    ("shelf_space", gettext_noop("Shelf space"), False),
    ("data_wrong", gettext_noop("Data wrong"), False),
    ("forecast_wrong", gettext_noop("Forecast wrong"), False),
    ("lead_time_wrong", gettext_noop("Lead time wrong"), False),
    ("duplicate", gettext_noop("Duplicate"), False),
    ("other", gettext_noop("Other"), True),
)
# Why stock changes without an order: for stock documents and counts.
STOCK_REASONS = (
    ("found", gettext_noop("Found"), False),
    ("miscounted", gettext_noop("Counted or booked wrongly"), False),
    ("damaged", gettext_noop("Damaged"), False),
    ("expired", gettext_noop("Expired"), False),
    ("theft", gettext_noop("Lost or stolen"), False),
    ("own_use", gettext_noop("Own use"), False),
    ("sample", gettext_noop("Sample or photo shoot"), False),
    ("marketing", gettext_noop("Giveaway"), False),
    ("faulty", gettext_noop("Faulty goods"), False),
    ("wrong_delivery", gettext_noop("Wrong delivery"), False),
    ("recall", gettext_noop("Recall"), False),
    ("stock_other", gettext_noop("Other"), True),
)


@transaction.atomic
def setup_roles(*, currencies: Iterable[str] | None = None) -> dict[str, int]:
    """Write groups, permissions, first limits and reason codes; return permissions per group.

    Args:
        currencies: limits are made in these; ``None`` = the currencies of the catalog.
    """
    counts = {}
    for name, labels in ROLES.items():
        group, _created = Group.objects.get_or_create(name=name)
        permissions = _permissions(labels)
        group.permissions.set(permissions)
        counts[name] = len(permissions)
    admin, _created = Group.objects.get_or_create(name="admin")
    everything = Permission.objects.filter(content_type__app_label__in=ADMIN_APPS).exclude(
        codename__in=BUSINESS_RIGHTS
    )
    admin.permissions.set(everything)
    counts["admin"] = everything.count()
    for currency in sorted(currencies_in_use() if currencies is None else set(currencies)):
        for name, limits in FIRST_LIMITS.items():
            ApprovalLimit.objects.get_or_create(
                group=Group.objects.get(name=name), currency=currency, defaults=limits
            )
    purposes = {ReasonCode.Purpose.DECISION: REASONS, ReasonCode.Purpose.STOCK: STOCK_REASONS}
    for purpose, reasons in purposes.items():
        for position, (code, label, note_required) in enumerate(reasons):
            ReasonCode.objects.get_or_create(
                code=code,
                defaults={
                    "label": label,
                    "note_required": note_required,
                    "position": position,
                    "purpose": purpose,
                },
            )
    return counts


def currencies_in_use() -> set[str]:
    """Return the currencies of defaults, suppliers and products (a fresh database: the default one)."""
    found = set(PlanningDefaults.objects.values_list("currency", flat=True))
    found |= set(Supplier.objects.order_by().values_list("currency", flat=True).distinct())
    found |= set(Product.objects.order_by().values_list("currency", flat=True).distinct())
    return found or {PlanningDefaults._meta.get_field("currency").get_default()}


def _permissions(labels: Iterable[str]) -> list[Permission]:
    wanted = Q()
    labels = set(labels)
    for label in labels:
        app, codename = label.split(".")
        wanted |= Q(content_type__app_label=app, codename=codename)
    found = list(Permission.objects.filter(wanted).select_related("content_type"))
    missing = labels - {f"{p.content_type.app_label}.{p.codename}" for p in found}
    if missing:
        raise LookupError(f"Permissions are missing (run migrate first): {sorted(missing)}")
    return found
