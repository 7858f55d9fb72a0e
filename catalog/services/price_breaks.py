"""Price breaks: from which quantity on a supplier asks less for each unit."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from catalog.fields import MAX_AMOUNT
from catalog.models import PriceBreak, SupplierProduct
from catalog.services.audit import audited

CHANGE = "catalog.change_pricebreak"
BREAKS_MOST = 20
QUANTITY_MOST = 2**31 - 1
PLACES = Decimal("0.0001")


def describe_breaks(row: SupplierProduct) -> dict[str, Any]:
    """Return the ladder of prices as the audit log keeps it."""
    steps = row.price_breaks.order_by("min_quantity")
    return {
        "supplier": row.supplier_id,
        "product": row.product_id,
        "breaks": {str(step.min_quantity): str(step.unit_cost) for step in steps},
    }


@audited(
    "supplier_product.set_price_breaks",
    row=SupplierProduct,
    pk="supplier_product_id",
    describe=describe_breaks,
)
@transaction.atomic
def set_price_breaks(
    *, supplier_product_id: int, breaks: Mapping[int, Decimal], by: Any, at: datetime
) -> SupplierProduct:
    """Replace the price breaks of one product of one supplier: from quantity → cost of each unit.

    The same again changes nothing. Orders that are written already keep their costs.

    Raises:
        PermissionDenied: no permission to change price breaks.
        ValidationError: more than 20, a quantity below 2, a cost that is negative or has more than four
            decimal places.
    """
    if not by.has_perm(CHANGE):
        raise PermissionDenied(
            _("This needs the permission “%(permission)s”.") % {"permission": CHANGE}
        )
    row = SupplierProduct.objects.select_for_update().get(pk=supplier_product_id)
    if len(breaks) > BREAKS_MOST:
        raise ValidationError(
            {"breaks": _("At most %(most)d price breaks.") % {"most": BREAKS_MOST}}, code="too_many"
        )
    for quantity, cost in breaks.items():
        if not 2 <= quantity <= QUANTITY_MOST:
            raise ValidationError(
                {"min_quantity": _("A price break starts at 2 or more.")}, code="min_quantity"
            )
        if not cost.is_finite() or not 0 <= cost <= MAX_AMOUNT or cost != cost.quantize(PLACES):
            raise ValidationError(
                {"unit_cost": _("Expected a cost of zero or more, with at most four places.")},
                code="unit_cost",
            )
    row.price_breaks.exclude(min_quantity__in=breaks).delete()
    present = {step.min_quantity: step for step in row.price_breaks.all()}
    for quantity, cost in sorted(breaks.items()):
        step = present.get(quantity) or PriceBreak(supplier_product=row, min_quantity=quantity)
        if step.pk is None or step.unit_cost != cost:
            step.unit_cost = cost
            step.save()
    return row
