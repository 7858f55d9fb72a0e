"""From a shop's words to rows of ours: SKUs, warehouses, and whether it is still the same order."""

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from catalog.models import Product
from inventory.engine.order_files import ShopLine, ShopOrder
from inventory.models import CustomerOrder, CustomerOrderLine, Warehouse
from inventory.selectors.scope import scope_of
from inventory.services.customer_orders.common import ADD, CANCEL, CHANGE, SHIP
from inventory.services.duties import require_permission
from inventory.services.order_imports.texts import fault_label

Goods = list[tuple[ShopLine, Product, Warehouse]]
# Files round a price by dividing a total; a real change of price is larger.
ROUNDING = Decimal("0.011")


def check_rights(order: ShopOrder, *, by: Any) -> None:
    """Refuse before anything is written what a later step would refuse for want of a right."""
    require_permission(by, ADD)
    if order.payment != "pending" or any(line.returned for line in order.lines):
        require_permission(by, CHANGE)
    if any(line.shipped for line in order.lines):
        require_permission(by, SHIP)
    if any(line.cancelled for line in order.lines):
        require_permission(by, CANCEL)


def resolve(order: ShopOrder, *, warehouse_id: int, by: Any) -> Goods:
    """Return each line with its product and warehouse.

    Raises:
        ValidationError: by field; what lies outside the user's scope is unknown.
    """
    scope = scope_of(by)
    products = {
        product.sku: product
        for product in scope.restrict(
            Product.objects.filter(sku__in={line.sku for line in order.lines}),
            product="",
            warehouse=None,
        )
    }
    rows = scope.restrict(Warehouse.objects.filter(is_active=True), product=None, warehouse="")
    named = {line.warehouse_code for line in order.lines if line.warehouse_code}
    warehouses = {row.code: row for row in rows.filter(code__in=named)}
    usual = rows.filter(pk=warehouse_id).first()
    errors: dict[str, ValidationError] = {}
    goods: Goods = []
    for place, line in enumerate(order.lines):
        product = products.get(line.sku)
        warehouse = warehouses.get(line.warehouse_code) if line.warehouse_code else usual
        if product is None:
            errors[f"lines.{place}.sku"] = _unknown("unknown_sku", line.sku)
        if warehouse is None:
            errors[f"lines.{place}.warehouse"] = _unknown("unknown_warehouse", line.warehouse_code)
        if product is not None and warehouse is not None:
            goods.append((line, product, warehouse))
    if errors:
        raise ValidationError(errors)
    return goods


def _unknown(code: str, text: str) -> ValidationError:
    message = _("“%(value)s” %(problem)s.") % {"value": text, "problem": fault_label(code)}
    return ValidationError(message, code=code)


def family_of(
    lines: Sequence[CustomerOrderLine],
) -> dict[int, list[CustomerOrderLine]]:
    """Number of an ordered line → that line and what was split off it, by number."""
    by_id = {line.pk: line for line in lines}
    families: dict[int, list[CustomerOrderLine]] = defaultdict(list)
    for line in sorted(lines, key=lambda row: row.line):
        root = line
        while root.split_from_id is not None:
            root = by_id[root.split_from_id]
        families[root.line].append(line)
    return dict(families)


def check_same_content(order: ShopOrder, goods: Goods, found: CustomerOrder) -> None:
    """Refuse an order that a shop has changed after Granary took it: stock is promised to the old one.

    Raises:
        ValidationError: code "order_changed", naming the line.
    """
    lines = list(found.lines.select_related("product", "warehouse"))
    families = family_of(lines)
    if order.currency != found.currency:
        raise _changed("currency", _("the currency"))
    if {line.line for line, _product, _warehouse in goods} != set(families):
        raise _changed("lines", _("its lines"))
    for place, (line, product, warehouse) in enumerate(goods):
        family = families[line.line]
        first, words = family[0], {"line": line.line}
        if first.product_id != product.pk:
            raise _changed(f"lines.{place}.sku", _("the product of line %(line)d") % words)
        if sum(one.quantity for one in family) != line.quantity:
            raise _changed(f"lines.{place}.quantity", _("the quantity of line %(line)d") % words)
        if abs(first.unit_price - line.unit_price) > ROUNDING:
            raise _changed(f"lines.{place}.unit_price", _("the price of line %(line)d") % words)
        if line.warehouse_code and first.warehouse_id != warehouse.pk:
            raise _changed(f"lines.{place}.warehouse", _("the warehouse of line %(line)d") % words)


def _changed(name: str, what: str) -> ValidationError:
    text = _("The order is known with other content: %(what)s differs.") % {"what": what}
    return ValidationError({name: ValidationError(text, code="order_changed")})
