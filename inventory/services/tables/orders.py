"""Customer orders as a table, one row a line of an order; purchase orders for reading."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import groupby
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from catalog.models import Product, Region
from inventory.exceptions import NotAllowed
from inventory.models import Customer, CustomerOrder, CustomerOrderLine, PurchaseOrderLine
from inventory.selectors.scope import Scope
from inventory.services.customer_orders.drafts import (
    FIRST_PAYMENTS,
    OrderDraft,
    OrderLineDraft,
    check_draft,
)
from inventory.services.customer_orders.placing import place_order
from inventory.services.imports.writers import Fence
from inventory.services.tables.base import Context, Outcome, Progress, Row, Session, Table
from inventory.services.tables.columns import KEEP, Column, model_column
from inventory.services.tables.faults import Fault
from inventory.services.tables.lookups import ids_by_code, visible_products, visible_warehouses

CUSTOMER_ORDERS = (
    model_column(CustomerOrder, "channel", _("Sales channel, such as shop."), required=True),
    model_column(CustomerOrder, "order_ref", _("The shop's order id."), required=True),
    model_column(
        CustomerOrderLine, "line", _("The shop's number of the line."), required=True
    ),
    model_column(CustomerOrder, "placed_at", required=True),
    model_column(
        CustomerOrderLine, "sku", _("SKU of a product."), field="product", kind="reference",
        required=True,
    ),
    model_column(
        CustomerOrderLine, "warehouse", _("Code of a warehouse."), kind="reference", required=True
    ),
    model_column(CustomerOrderLine, "quantity", required=True, minimum=Decimal(1)),
    model_column(CustomerOrderLine, "unit_price", required=True),
    model_column(CustomerOrder, "currency", required=True),
    model_column(
        Customer, "customer_key", _("The shop's key of the customer."), field="key", empty=""
    ),
    model_column(CustomerOrder, "region", _("Code of a region."), empty=""),
    model_column(
        CustomerOrder, "payment", _("Of a new order: pending, authorised, on_account or paid."),
        empty=KEEP,
    ),
    model_column(CustomerOrder, "paid_amount"),
    model_column(CustomerOrder, "payment_reference"),
)  # fmt: skip
HEADER = ("placed_at", "currency", "customer_key", "region", "payment", "paid_amount",
          "payment_reference")  # fmt: skip
# what an order was paid moves on after it was placed: a file says it once, for a new order
ORDERED = ("placed_at", "currency", "customer_key", "region")
LINE = ("sku", "warehouse", "quantity", "unit_price")
PURCHASE_ORDERS = (
    Column("number", "text", _("number")),
    Column("state", "text", _("state")),
    Column("supplier", "text", _("supplier")),
    Column("warehouse", "text", _("warehouse")),
    Column("currency", "text", _("currency")),
    Column("week", "date", _("order week")),
    Column("sku", "text", _("SKU")),
    Column("product", "text", _("product")),
    Column("quantity", "integer", _("quantity")),
    Column("received_quantity", "integer", _("received")),
    Column("unit_cost", "money", _("unit cost")),
    Column("expected_on", "date", _("expected on")),
    Column("created_at", "datetime", _("created at")),
    Column("sent_at", "datetime", _("sent at")),
    Column("supplier_reference", "text", _("supplier's reference")),
    Column("base_currency", "text", _("base currency")),
    Column("exchange_rate", "decimal", _("exchange rate")),
)
OrderKey = tuple[str, str]


@dataclass
class _Order:
    """Rows of one order in a file, and the order as it is known (its lines by number)."""

    first: Row
    rows: list[Row] = field(default_factory=list)
    known: dict[str, str] | None = None
    lines: dict[int, dict[str, str]] = field(default_factory=dict)


class OrderSession(Session):
    """An order that is known with the same content is unchanged; with other content its rows are wrong."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.orders: dict[OrderKey, _Order] = {}
        self.products: dict[str, int] = {}
        self.unsold: set[str] = set()
        warehouses = list(visible_warehouses(context.scope))
        self.warehouses = {row.code: row.pk for row in warehouses}
        self.idle = {row.code for row in warehouses if not row.is_active}
        self.by_name = {column.name: column for column in CUSTOMER_ORDERS}

    def check(self, rows: Sequence[Row]) -> None:
        self._resolve(rows)
        good = [row for row in rows if not row.is_wrong]
        self._look_up({_key(row) for row in good} - self.orders.keys(), good)
        for row in good:
            order = self.orders[_key(row)]
            if self.is_repeated(row, (*_key(row), row.values["line"]), "line"):
                continue
            order.rows.append(row)
            for name in HEADER:
                if self._text(row, name) != self._text(order.first, name):
                    row.refuse("other_header", name, row=order.first.number)
            if order.known is None:
                row.outcome = Outcome.NEW
                self._check_sold(row)
            else:
                self._compare(row, order)

    def _resolve(self, rows: Sequence[Row]) -> None:
        skus = [row.values["sku"] for row in rows if "sku" in row.values]
        self.products |= ids_by_code(visible_products(self.context.scope), "sku", skus)
        codes = {row.values.get("region") or "" for row in rows} - {""}
        regions = ids_by_code(Region.objects.all(), "code", list(codes))
        unsold = visible_products(self.context.scope).filter(sku__in=skus)
        self.unsold.update(
            unsold.filter(
                Q(is_sellable=False) | Q(lifecycle=Product.Lifecycle.DISCONTINUED)
            ).values_list("sku", flat=True)
        )
        known = {"sku": self.products, "warehouse": self.warehouses, "region": regions}
        for row in rows:
            for name, ids in known.items():
                if row.values.get(name) and row.values[name] not in ids:
                    row.refuse("unknown", name)

    def _check_sold(self, row: Row) -> None:
        """What a new order needs besides: goods that are sold, a warehouse at work, a first payment."""
        if row.values["sku"] in self.unsold:
            row.refuse("not_sold", "sku")
        if row.values["warehouse"] in self.idle:
            row.refuse("not_active", "warehouse")
        payment = row.values.get("payment", KEEP)
        if payment is not KEEP and payment not in FIRST_PAYMENTS:
            row.refuse("choice", "payment", known=", ".join(FIRST_PAYMENTS))

    def late_faults(self) -> dict[int, list[Fault]]:
        """The rules of an order as a whole, once all its lines are known."""
        late: dict[int, list[Fault]] = {}
        for order in self.orders.values():
            if order.known is not None or not order.rows or any(row.is_wrong for row in order.rows):
                continue
            try:
                check_draft(self._draft(order), at=self.context.at)
            except ValidationError as error:
                for name, found in error.error_dict.items():
                    row, column = _place(order, name)
                    words = " ".join(message for one in found for message in one.messages)
                    late.setdefault(row.number, []).append(
                        Fault("refused", column, {"message": words})
                    )
        return late

    def _look_up(self, keys: set[OrderKey], rows: Sequence[Row]) -> None:
        for row in rows:
            if _key(row) in keys:
                self.orders.setdefault(_key(row), _Order(row))
        refs = {key[1] for key in keys}
        lines = CustomerOrderLine.objects.filter(order__order_ref__in=refs)
        for values in order_lines(lines):
            texts = {
                column.name: column.text(value)
                for column, value in zip(CUSTOMER_ORDERS, values, strict=True)
            }
            key = (texts["channel"], texts["order_ref"])
            if key in keys:
                order = self.orders[key]
                order.known = texts
                order.lines[int(texts["line"])] = texts

    def _text(self, row: Row, name: str) -> str:
        value = row.values.get(name, KEEP)
        return "" if value is KEEP else self.by_name[name].text(value)

    def _compare(self, row: Row, order: _Order) -> None:
        assert order.known is not None
        line = order.lines.get(row.values["line"])
        if line is None:
            row.refuse("not_in_order", "line")
            return
        for name in (*ORDERED, *LINE):
            if name in row.values and self._text(row, name) != line[name]:
                # what lies outside the scope is not told
                seen = line["sku"] in self.products and line["warehouse"] in self.warehouses
                row.refuse("order_known_otherwise", name, known=line[name] if seen else "…")

    def write(self, fence: Fence, progress: Progress) -> None:
        new = [order for order in self.orders.values() if order.known is None]
        context = self.context
        with fence():
            for count, order in enumerate(new):
                try:
                    place_order(
                        draft=self._draft(order), by=context.by, at=context.at, allow_backorder=True
                    )
                except (ValidationError, NotAllowed) as error:
                    words = error.messages if isinstance(error, ValidationError) else [str(error)]
                    raise ValidationError(
                        _("Row %(row)s, order %(order)s: %(words)s"),
                        code="row_refused",
                        params={
                            "row": order.first.number,
                            "order": order.first.values["order_ref"],
                            "words": " ".join(words),
                        },
                    ) from error
                if count % 100 == 0:
                    progress(count / len(new), f"{count:,} / {len(new):,}")

    def _draft(self, order: _Order) -> OrderDraft:
        values = {name: order.first.values.get(name, KEEP) for name in HEADER}

        def given(name: str, default: Any) -> Any:
            return default if values[name] is KEEP else values[name]

        channel, order_ref = _key(order.first)
        return OrderDraft(
            channel=channel,
            order_ref=order_ref,
            placed_at=values["placed_at"],
            currency=values["currency"],
            customer_key=given("customer_key", ""),
            region_code=given("region", "") or "",
            payment=given("payment", CustomerOrder.Payment.PENDING),
            paid_amount=given("paid_amount", Decimal(0)),
            payment_reference=given("payment_reference", ""),
            lines=tuple(
                OrderLineDraft(
                    line=row.values["line"],
                    product_id=self.products[row.values["sku"]],
                    warehouse_id=self.warehouses[row.values["warehouse"]],
                    quantity=row.values["quantity"],
                    unit_price=row.values["unit_price"],
                )
                for row in order.rows
            ),
        )


def _place(order: _Order, name: str) -> tuple[Row, str]:
    """Row and column of a field of a draft: "currency", "lines.3.quantity" …"""
    parts = name.split(".")
    if parts[0] != "lines" or len(parts) < 3:
        return order.first, "region" if name == "region_code" else "" if name == "lines" else name
    return order.rows[int(parts[1])], parts[2]


def _key(row: Row) -> OrderKey:
    return (row.values["channel"], row.values["order_ref"])


def order_lines(rows: QuerySet[CustomerOrderLine]) -> Iterator[tuple[Any, ...]]:
    """Lines as they were ordered: what was split off when it shipped later is added to its line again."""
    names = (
        "order_id", "id", "split_from_id", "line", "quantity", "order__channel", "order__order_ref",
        "order__placed_at", "product__sku", "warehouse__code", "unit_price", "order__currency",
        "order__customer__key", "order__region__code", "order__payment", "order__paid_amount",
        "order__payment_reference",
    )  # fmt: skip
    ordered = rows.order_by("order__channel", "order__order_ref", "line").values_list(*names)
    for _order, group in groupby(ordered.iterator(chunk_size=2000), key=lambda one: one[0]):
        lines = list(group)
        quantities: dict[int, int] = defaultdict(int)
        parents = {line[1]: line[2] for line in lines}
        for line in lines:
            root = line[1]
            while parents.get(root) is not None:
                root = parents[root]
            quantities[root] += line[4]
        for line in lines:
            if line[1] in quantities:
                yield (
                    line[5], line[6], line[3], line[7], line[8], line[9], quantities[line[1]], line[10],
                    line[11], line[12] or "", line[13] or "", *line[14:],
                )  # fmt: skip


def customer_order_rows(scope: Scope, only: QuerySet[Any] | None) -> Iterator[Sequence[Any]]:
    rows = scope.restrict(CustomerOrderLine.objects.all())
    return order_lines(rows if only is None else rows.filter(order__in=only))


def purchase_order_rows(scope: Scope, only: QuerySet[Any] | None) -> Iterator[Sequence[Any]]:
    rows = scope.restrict(
        PurchaseOrderLine.objects.all(), warehouse="order__warehouse", supplier="order__supplier"
    )
    rows = rows if only is None else rows.filter(order__in=only)
    values = rows.annotate(due=F("expected_on")).order_by("order__number", "product__sku", "id")
    return values.values_list(
        "order__number", "order__state", "order__supplier__code", "order__warehouse__code",
        "order__currency", "order__week", "product__sku", "product__name", "quantity",
        "received_quantity", "unit_cost", "due", "order__created_at", "order__sent_at",
        "order__supplier_reference", "order__base_currency", "order__exchange_rate",
    ).iterator(chunk_size=2000)  # fmt: skip


TABLES = (
    Table(
        "customer_orders", _("Customer orders"),
        _("Orders of shops, one row a line; new ones reserve stock, known ones never change."),
        CUSTOMER_ORDERS, customer_order_rows, anchor="inventory.customerorder",
        view="inventory.view_customerorder", read_scope="orders:read", session=OrderSession,
        change=("inventory.add_customerorder",), write_scope="orders:write",
    ),
    Table(
        "purchase_orders", _("Purchase orders"), _("Orders to suppliers, one row a line; export only."),
        PURCHASE_ORDERS, purchase_order_rows, anchor="inventory.purchaseorder",
        view="inventory.view_purchaseorder", read_scope="planning:read",
    ),
)  # fmt: skip
