"""Lots of a product that is kept by lot."""

from django.db.models import F, QuerySet

from inventory.models import LotLevel
from inventory.selectors.scope import Scope


def lot_levels(*, scope: Scope, product_id: int, warehouse_id: int) -> QuerySet[LotLevel]:
    """Return the lots that hold pieces there, in the order in which they go out."""
    rows = LotLevel.objects.filter(
        lot__product_id=product_id, warehouse_id=warehouse_id, on_hand__gt=0
    ).select_related("lot")
    return scope.restrict(rows, product="lot__product").order_by(
        F("lot__expires_on").asc(nulls_last=True), "lot__code"
    )
