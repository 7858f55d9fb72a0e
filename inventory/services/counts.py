"""Count sheets: made and filled in, line by line, while goods come and go.

Each line keeps what the books said at its moment; only the difference is posted later. The steps after
that (submit, approve, count again, cancel) are in ``count_decisions`` and can be called from here.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from catalog.models import Category, Product
from catalog.services.audit import audited, record_change
from inventory.exceptions import InvalidTransition
from inventory.models import StockCount, StockCountLine, Warehouse
from inventory.selectors.abc import CLASSES, abc_classes
from inventory.selectors.scope import Scope, scope_of
from inventory.services.count_decisions import (
    approve_count,
    cancel_count,
    return_count,
    submit_count,
)
from inventory.services.count_posting import freeze_books
from inventory.services.count_steps import (
    ADD,
    CHANGE,
    checked_key,
    content_hash,
    field_error,
    insert_count,
    locked_count,
    products_in_scope,
    same_count,
    save_count,
    storable,
    warehouse_in_scope,
    write_down,
)
from inventory.services.duties import require_permission
from inventory.services.ledger import MAX_QUANTITY
from inventory.services.retries import retried

__all__ = [
    "approve_count",
    "cancel_count",
    "create_count_sheet",
    "enter_count",
    "return_count",
    "submit_count",
]

State = StockCount.State
LINES_MOST = 20_000


@retried
@audited("stock_count.create", row=StockCount, pk=None)
@transaction.atomic
def create_count_sheet(
    *,
    warehouse_id: int,
    by: Any,
    at: datetime,
    idempotency_key: str,
    abc_class: str = "",
    product_ids: Iterable[int] | None = None,
    category: Category | None = None,
    blind: bool = True,
    note: str = "",
) -> StockCount:
    """Make a sheet of products to count; a repeated key returns the first sheet.

    Products by name (``product_ids``), or those of the warehouse with stock or demand, narrowed by ABC class
    and category (with its subcategories), as far as they are in the user's scope.

    Raises:
        NotAllowed: no permission, outside the scope.
        IdempotencyConflict: the key was used for another sheet.
        ValidationError: nothing to count, too many products, a warehouse whose ledger is not open.
    """
    require_permission(by, ADD)
    scope = scope_of(by)
    warehouse = warehouse_in_scope(warehouse_id, scope)
    named = None if product_ids is None else sorted(set(product_ids))
    asked = content_hash(
        ["sheet", warehouse_id, abc_class, named, category and category.pk, blind, note]
    )
    known = StockCount.objects.filter(idempotency_key=checked_key(idempotency_key)).first()
    if known is not None:
        return same_count(known, asked)
    if warehouse.ledger_start is None:
        raise field_error(
            "warehouse",
            _(
                "%(warehouse)s keeps no ledger yet: import its opening stock or send a snapshot first."
            )
            % {"warehouse": warehouse.code},
            "no_ledger",
        )
    chosen = _chosen(warehouse, scope, abc_class, named, category, at)
    return insert_count(
        StockCount(
            warehouse=warehouse, kind=StockCount.Kind.SHEET, abc_class=abc_class, is_blind=blind,
            created_at=at, created_by=by, idempotency_key=idempotency_key, content_sha256=asked,
            note=storable("note", note),
        ),
        [StockCountLine(product_id=product_id) for product_id in chosen],
    )  # fmt: skip


@retried
@audited("stock_count.enter", row=StockCount, pk="count_id")
@transaction.atomic
def enter_count(
    *,
    count_id: int,
    entries: Mapping[int, int | None],
    by: Any,
    at: datetime,
    version: int | None = None,
    seen: Mapping[int, int | None] | None = None,
) -> StockCount:
    """Write down what was found: product id → units, ``None`` = not counted after all.

    The books of the moment are kept with each line, under the lock of the balance. What equals the figure
    on the sheet changes nothing, unless ``seen`` names that figure: then it was counted again just now.

    Args:
        version: of the sheet the person saw. Without it, others may fill in other lines meanwhile.
        seen: per line, the figure the person saw there (left out: nothing).

    Raises:
        NotAllowed, InvalidTransition (not being counted), StaleVersion.
        ValidationError: by product in ``entries.<product id>``: not on the sheet, below zero, or counted by
            somebody meanwhile (code "counted_meanwhile", with both figures).
    """
    count = locked_count(count_id, by=by, permissions=(CHANGE,), version=version)
    if count.state != State.OPEN:
        raise InvalidTransition(current=count.state, wanted="counted")
    lines = {
        line.product_id: line
        for line in count.lines.filter(product_id__in=list(entries)).select_related(
            "product", "counted_by"
        )
    }
    changed = _changed_entries(
        lines, entries, {} if seen is None else seen, saw_all=version is not None
    )
    if not changed:
        return count
    books, positions = freeze_books(count, sorted(changed))
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for product_id, quantity in changed.items():
        line = lines[product_id]
        before[line.product.sku] = line.counted_quantity
        after[line.product.sku] = quantity
        write_down(line, quantity, books[product_id], positions[product_id], by, at)
    StockCountLine.objects.bulk_update(
        [lines[product_id] for product_id in changed],
        ["counted_quantity", "book_quantity", "ledger_position", "counted_at", "counted_by"],
        batch_size=200,
    )
    record_change(
        action="stock_count.lines", by=by, at=at, object_type="inventory.stockcountline",
        object_id=count.number, before=before, after=after,
    )  # fmt: skip
    return save_count(count)


def _chosen(
    warehouse: Warehouse,
    scope: Scope,
    abc_class: str,
    named: list[int] | None,
    category: Category | None,
    at: datetime,
) -> list[int]:
    if abc_class not in ("", *CLASSES):
        raise field_error("abc_class", _("Expected A, B or C."), "abc_class")
    if named is not None:
        products_in_scope(set(named), scope)
        chosen = named
    else:
        today = at.astimezone(ZoneInfo(warehouse.time_zone)).date()
        classes = abc_classes(scope=scope, warehouse_id=warehouse.pk, today=today)
        chosen = sorted(pk for pk, name in classes.items() if not abc_class or name == abc_class)
        if category is not None:
            inside = set(
                Product.objects.filter(category_id__in=_with_descendants(category)).values_list(
                    "pk", flat=True
                )
            )
            chosen = [pk for pk in chosen if pk in inside]
    if not chosen:
        raise ValidationError(_("There is no product to count here."), code="no_products")
    if len(chosen) > LINES_MOST:
        raise ValidationError(
            _("%(found)d products are too many for one sheet (at most %(most)d)."),
            code="too_many_products",
            params={"found": len(chosen), "most": LINES_MOST},
        )
    return chosen


def _with_descendants(category: Category) -> set[int]:
    found = {category.pk}
    layer = found
    while layer:
        children = Category.objects.filter(parent_id__in=layer).values_list("id", flat=True)
        layer = set(children) - found
        found |= layer
    return found


def _changed_entries(
    lines: Mapping[int, StockCountLine],
    entries: Mapping[int, int | None],
    seen: Mapping[int, int | None],
    *,
    saw_all: bool,
) -> dict[int, int | None]:
    """Return the entries that are news, or raise with every entry that cannot be taken."""
    errors: dict[str, ValidationError] = {}
    changed = {}
    for product_id, quantity in entries.items():
        name, line = f"entries.{product_id}", lines.get(product_id)
        if line is None:
            errors[name] = ValidationError(_("This product is not on the sheet."), "unknown")
        elif quantity is not None and not 0 <= quantity < MAX_QUANTITY:
            errors[name] = ValidationError(
                _("%(product)s: expected 0 to %(most)d."), "quantity",
                {"product": line.product.sku, "most": MAX_QUANTITY - 1},
            )  # fmt: skip
        elif line.counted_quantity == quantity and (
            quantity is None or seen.get(product_id) != quantity
        ):
            continue
        elif not saw_all and line.counted_quantity != seen.get(product_id):
            errors[name] = ValidationError(
                _("%(product)s: %(who)s wrote down %(theirs)s meanwhile, you %(yours)s."),
                "counted_meanwhile",
                {
                    "product": line.product.sku,
                    "who": "–" if line.counted_by is None else line.counted_by.get_username(),
                    "theirs": "–" if line.counted_quantity is None else line.counted_quantity,
                    "yours": "–" if quantity is None else quantity,
                },
            )
        else:
            changed[product_id] = quantity
    if errors:
        raise ValidationError(errors)
    return changed
