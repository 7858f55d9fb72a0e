"""Selling prices as a table; written through `catalog.services.prices.set_price`."""

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import pairwise
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from catalog.models import Price
from catalog.services.prices import set_price
from inventory.selectors.scope import Scope
from inventory.services.imports.writers import Fence
from inventory.services.tables.base import Context, Outcome, Progress, Row, Table
from inventory.services.tables.columns import KEEP, model_column
from inventory.services.tables.faults import Fault
from inventory.services.tables.lookups import in_bulk, visible_products
from inventory.services.tables.model_tables import ModelSession, Reference

PRICES = (
    model_column(
        Price, "sku", _("SKU of a product."), field="product", kind="reference", required=True
    ),
    model_column(Price, "channel", _("Empty = every channel without a price of its own.")),
    model_column(Price, "valid_from", required=True),
    model_column(
        Price, "valid_to", _("Empty = until the next price, or until further notice."), empty=KEEP
    ),
    model_column(Price, "amount", required=True),
    model_column(Price, "currency", required=True),
    model_column(Price, "observed", field="is_observed"),
)
Line = tuple[int, str]  # product id, channel


class PriceSession(ModelSession):
    model, columns, key = Price, PRICES, ("sku", "channel", "valid_from")
    references = {"sku": Reference(visible_products, "sku")}

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        # what holds when the file is in: start → (end, row of the file or None), for each product and channel
        self.spans: dict[Line, dict[date, tuple[date | None, Row | None]]] = {}
        self.changed: list[tuple[int, Row]] = []

    def key_of(self, row: Row) -> tuple[Any, ...]:
        values = row.values
        return (self.ids["sku"].get(values["sku"]), values.get("channel", ""), values["valid_from"])

    def existing(self, rows: Sequence[Row]) -> dict[tuple[Any, ...], Any]:
        products = {self.key_of(row)[0] for row in rows}
        found = {}
        for price in Price.objects.filter(product__in=products):
            line = (price.product_id, price.channel)
            found[(*line, price.valid_from)] = price
            self.spans.setdefault(line, {}).setdefault(price.valid_from, (price.valid_to, None))
        return found

    def rules(self, row: Row, found: Any | None) -> None:
        product_id, channel, starts = self.key_of(row)
        ends = row.values.get("valid_to", KEEP)
        if ends is KEEP:
            ends = None if found is None else found.valid_to
        elif ends < starts:
            row.refuse("after_end", "valid_from")
        self.spans.setdefault((product_id, channel), {})[starts] = (ends, row)
        if row.outcome != Outcome.UNCHANGED:
            self.changed.append((product_id, row))

    def prepare(self, instance: Any, row: Row, found: Any | None) -> None:
        """Rows are written by ``set_price``."""

    def late_faults(self) -> dict[int, list[Fault]]:
        late = {}
        for spans in self.spans.values():
            starts = sorted(spans)
            for start, following in pairwise(starts):
                ends, row = spans[start]
                named = row is not None and row.values.get("valid_to", KEEP) is not KEEP
                if row is not None and named and ends is not None and ends >= following:
                    late[row.number] = [
                        Fault("overlaps", "valid_to", {"day": following.isoformat()})
                    ]
        return late

    def write(self, fence: Fence, progress: Progress) -> None:
        self.changed.sort(
            key=lambda one: (one[0], one[1].values.get("channel", ""), one[1].values["valid_from"])
        )
        with fence():
            products = in_bulk(
                visible_products(Scope.everything()),
                {product_id for product_id, _row in self.changed},
            )
            for count, (product_id, row) in enumerate(self.changed):
                values = row.values
                ends, observed = values.get("valid_to", KEEP), values.get("observed", KEEP)
                set_price(
                    product=products[product_id], amount=values["amount"],
                    currency=values["currency"], valid_from=values["valid_from"],
                    channel=values.get("channel", ""), valid_to=None if ends is KEEP else ends,
                    is_observed=False if observed is KEEP else observed,
                )  # fmt: skip
                if count % 200 == 0:
                    progress(count / len(self.changed), f"{count:,} / {len(self.changed):,}")


def price_rows(scope: Scope, only: QuerySet[Any] | None) -> Iterator[Sequence[Any]]:
    rows = scope.restrict(Price.objects.all(), warehouse=None)
    rows = rows if only is None else rows.filter(product__in=only)
    names = ["product__sku", *(column.field for column in PRICES[1:])]
    ordered = rows.order_by("product__sku", "channel", "valid_from")
    return ordered.values_list(*names).iterator(chunk_size=2000)


TABLES = (
    Table(
        "prices", _("Prices"), _("Selling prices by product, channel and day."), PRICES, price_rows,
        anchor="catalog.product", view="catalog.view_price", read_scope="catalog:read",
        session=PriceSession, change=("catalog.add_price", "catalog.change_price"),
        write_scope="catalog:write",
    ),
)  # fmt: skip
