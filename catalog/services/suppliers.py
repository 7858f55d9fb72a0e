"""Suppliers and the terms on which they deliver."""

from decimal import Decimal

from django.db import transaction

from catalog.models import Product, Supplier, SupplierProduct


@transaction.atomic
def set_supplier_terms(
    *,
    supplier: Supplier,
    product: Product,
    lead_time_days: int,
    unit_cost: Decimal,
    lead_time_sd_days: float = 0.0,
    min_order_quantity: int = 1,
    order_multiple: int = 1,
    priority: int = 1,
    supplier_sku: str = "",
    lead_time_assumed: bool = False,
    cost_assumed: bool = False,
) -> SupplierProduct:
    """Write the terms of one supplier for one product, new or over the old ones.

    Raises:
        ValidationError: by field, as forms show it.
    """
    row = (
        SupplierProduct.objects.select_for_update()
        .filter(supplier=supplier, product=product)
        .first()
    ) or SupplierProduct(supplier=supplier, product=product)
    row.lead_time_days, row.lead_time_sd_days = lead_time_days, lead_time_sd_days
    row.min_order_quantity, row.order_multiple = min_order_quantity, order_multiple
    row.unit_cost, row.priority, row.supplier_sku = unit_cost, priority, supplier_sku
    row.lead_time_assumed, row.cost_assumed = lead_time_assumed, cost_assumed
    row.full_clean()
    row.save()
    return row
