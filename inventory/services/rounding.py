"""Supplier's terms for a quantity: what may be ordered, at which cost, and why, in words."""

from collections.abc import Collection
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from catalog.models import Supplier, SupplierProduct
from inventory.engine.order_quantities import (
    MAXIMUM,
    MINIMUM,
    OrderQuantity,
    PriceStep,
    Terms,
    order_quantity,
    possible_quantities,
)
from inventory.models import PurchaseOrder, PurchaseOrderLine, Suggestion

NOTE_MOST = 200
MAX_UNITS = 2**53 - 1  # beyond it a JSON number is not exact


def terms_of(source: SupplierProduct) -> Terms:
    """Return the terms of a supplier product; prefetch ``price_breaks`` where there are many."""
    return Terms(
        min_order_quantity=source.min_order_quantity,
        order_multiple=source.order_multiple,
        max_order_quantity=source.max_order_quantity,
        rounding=source.rounding,
        unit_cost=source.unit_cost,
        price_steps=tuple(
            PriceStep(step.min_quantity, step.unit_cost) for step in source.price_breaks.all()
        ),
    )


def supplier_terms(
    *, supplier: Supplier, product_ids: Collection[int], day: date
) -> dict[int, SupplierProduct]:
    """Return product id → what the supplier asks for it on a day, with its price breaks loaded."""
    rows = SupplierProduct.objects.filter(
        Q(valid_from__isnull=True) | Q(valid_from__lte=day),
        Q(valid_to__isnull=True) | Q(valid_to__gte=day),
        supplier=supplier,
        product_id__in=product_ids,
    )
    rows = rows.select_related("supplier").prefetch_related("price_breaks")
    return {row.product_id: row for row in rows}


def suggestion_terms(row: Suggestion) -> Terms:
    """Return the terms of a suggestion: its own packs, and the supplier's maximum, rounding and price breaks."""
    source = None
    if row.kind == Suggestion.Kind.BUY and row.supplier_id is not None:
        source = (
            SupplierProduct.objects.filter(supplier_id=row.supplier_id, product_id=row.product_id)
            .prefetch_related("price_breaks")
            .first()
        )
    if source is None:
        return Terms(row.min_order_quantity, row.order_multiple, unit_cost=row.unit_cost)
    return replace(
        terms_of(source),
        min_order_quantity=row.min_order_quantity,
        order_multiple=row.order_multiple,
    )


def check_quantity(*, quantity: int, terms: Terms, sku: str) -> None:
    """Raise ``ValidationError`` unless the supplier delivers exactly this quantity (1 = one stock unit).

    Raises:
        ValidationError: code "quantity" (below 1, or more than a quantity can hold), "packs" (below the
            minimum or no multiple), "maximum" (above it), each with the figures.
    """
    if not 1 <= quantity <= MAX_UNITS:
        raise ValidationError(
            _("%(product)s: the quantity must be at least 1 and at most %(most)d."),
            code="quantity",
            params={"product": sku, "most": MAX_UNITS},
        )
    if terms.allows(quantity):
        return
    most = terms.most
    if most is not None and quantity > most:
        raise ValidationError(
            _("%(product)s: the supplier delivers at most %(most)d at once."),
            code="maximum",
            params={"product": sku, "most": most},
        )
    raise ValidationError(
        _(
            "%(product)s: the supplier delivers at least %(minimum)d, in multiples of %(multiple)d;"
            " possible are %(possible)s."
        ),
        code="packs",
        params={
            "product": sku,
            "minimum": terms.min_order_quantity,
            "multiple": terms.multiple,
            "possible": ", ".join(str(one) for one in possible_quantities(quantity, terms)),
        },
    )


def explain(found: OrderQuantity, terms: Terms) -> str:
    """Return in words how the quantity came about; empty where no rule changed it and no break is near."""
    parts = []
    reached = found.wished
    for change in found.changes:
        reached += change.units
        if change.rule == MINIMUM:
            words = _("up to the minimum order quantity of %(limit)d")
            parts.append(words % {"limit": terms.min_order_quantity})
        elif change.rule == MAXIMUM:
            words = _("cut at the maximum order quantity of %(limit)d")
            parts.append(words % {"limit": terms.max_order_quantity or 0})
        elif change.units > 0:
            parts.append(_("up to packs of %(pack)d") % {"pack": terms.multiple})
        else:
            parts.append(_("down to packs of %(pack)d") % {"pack": terms.multiple})
    if not parts:
        return ""
    words = _("%(wished)d wanted, %(quantity)d ordered: %(rules)s")
    facts = {"wished": found.wished, "quantity": found.quantity, "rules": ", ".join(parts)}
    return (words % facts)[:NOTE_MOST]


def line_hints(
    *, order: PurchaseOrder, lines: Collection[PurchaseOrderLine], at: datetime
) -> dict[int, str]:
    """Return order line id → what the next price break would bring, where there is one."""
    sources = supplier_terms(
        supplier=order.supplier, product_ids=[line.product_id for line in lines],
        day=at.astimezone(ZoneInfo(order.warehouse.time_zone)).date(),
    )  # fmt: skip
    hints = {}
    for line in lines:
        source = sources.get(line.product_id)
        if source is None or not source.price_breaks.all():
            continue
        found = order_quantity(line.quantity, terms_of(source))
        # a cost that was agreed by hand has no ladder
        if found.quantity == line.quantity and found.unit_cost == line.unit_cost:
            hints[line.pk] = break_hint(found, order.currency)
    return {line_id: hint for line_id, hint in hints.items() if hint}


def break_hint(found: OrderQuantity, currency: str) -> str:
    """Return what a few units more would bring, such as "+6 units reach 2.90 EUR each: saves 41.00 EUR"."""
    if found.next_break is None:
        return ""
    return _("+%(more)d units reach %(cost)s %(currency)s each: saves %(saves)s %(currency)s") % {
        "more": found.next_break.more,
        "cost": _plain(found.next_break.unit_cost),
        "saves": _plain(found.next_break.saves),
        "currency": currency,
    }


def _plain(amount: Decimal) -> str:
    # two decimal places unless the amount has more
    places = 2 if amount == round(amount, 2) else 4
    return str(number_format(amount, decimal_pos=places, use_l10n=True))
