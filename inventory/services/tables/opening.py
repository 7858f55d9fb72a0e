"""Opening stock as a table: what lies where when a warehouse's ledger begins."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any

from django.db import connection
from django.db.models import F, QuerySet
from django.utils.translation import gettext_lazy as _

from inventory.models import Lot, LotEntry, StockLevel, StockMovement
from inventory.selectors.promises import waiting_lines
from inventory.selectors.scope import Scope
from inventory.services.imports.writers import Fence
from inventory.services.lots import UNKNOWN_LOT
from inventory.services.movement_drafts import LotShare, StockKey
from inventory.services.opening_stock import (
    OpeningRow,
    open_in_bulk,
    open_with_lots,
    opening_problem,
    openings_of,
)
from inventory.services.reservations import allocate_backorders
from inventory.services.tables.base import Context, Outcome, Progress, Row, Session, Table
from inventory.services.tables.columns import model_column
from inventory.services.tables.lookups import visible_products, visible_warehouses

OPENING_STOCK = (
    model_column(
        StockMovement,
        "sku",
        _("SKU of a product."),
        field="product",
        kind="reference",
        required=True,
    ),
    model_column(
        StockMovement, "warehouse", _("Code of a warehouse."), kind="reference", required=True
    ),
    model_column(
        StockLevel, "quantity", _("Pieces that lie there."), field="on_hand", required=True
    ),
    model_column(Lot, "lot", _("Only for products kept by lot."), field="code", empty=""),
    model_column(Lot, "expires_on"),
)
# SQLite has one writer: others get their turn between two pieces. Elsewhere everything is one transaction.
PIECE_OF_SQLITE = 10_000
MANY_ROWS, MANY_PRODUCTS = 20_000, 1_000_000


class OpeningSession(Session):
    """Rows become opening movements; a product that was opened before with the same quantity is unchanged."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.is_atomic = connection.vendor != "sqlite"
        self.opens_at = datetime.fromisoformat(context.options["opens_at"])
        self.warehouses = {row.code: row for row in visible_warehouses(context.scope)}
        self.problems: dict[str, str] = {}
        self.products: dict[str, tuple[int, bool]] = {}
        self.looked_up, self.has_all_products = 0, False
        self.openings: list[OpeningRow] = []
        self.lots: dict[StockKey, list[LotShare]] = defaultdict(list)

    def check(self, rows: Sequence[Row]) -> None:
        self._look_up(rows)
        good = [row for row in rows if self._is_placed(row)]
        known, moved, levelled = self._stock_of(good)
        lots = self._lots_of(good)
        for row in good:
            values = row.values
            product_id, tracks_lots = self.products[values["sku"]]
            warehouse = self.warehouses[values["warehouse"]]
            key, quantity = (product_id, warehouse.pk), values["quantity"]
            if tracks_lots:
                self._check_lot(row, key, known, lots)
                continue
            if values.get("lot") or values.get("expires_on"):
                row.refuse("lot_without_lots", "lot" if values.get("lot") else "expires_on")
            elif key in known or (not quantity and key in levelled):
                if known.get(key, 0) != quantity:
                    row.refuse("opened_otherwise", "quantity", quantity=known[key])
            elif key in moved:
                row.refuse("moved_already", "sku")
            else:
                row.outcome = Outcome.NEW
                self.openings.append(OpeningRow(warehouse.pk, product_id, quantity))

    def _look_up(self, rows: Sequence[Row]) -> None:
        """Products of these rows; for a long file all of them at once, which is quicker than piece by piece."""
        if self.has_all_products:
            return
        found = visible_products(self.context.scope)
        self.looked_up += len(rows)
        if self.looked_up > MANY_ROWS and found.count() <= MANY_PRODUCTS:
            self.has_all_products = True
        else:
            found = found.filter(sku__in={row.values["sku"] for row in rows if "sku" in row.values})
        self.products = {
            sku: (pk, tracks)
            for sku, pk, tracks in found.order_by().values_list("sku", "pk", "tracks_lots")
        }

    def _is_placed(self, row: Row) -> bool:
        """Whether product and warehouse are known and the row stands in the file once."""
        sku, code = row.values.get("sku"), row.values.get("warehouse")
        if sku is not None and sku not in self.products:
            row.refuse("unknown", "sku")
        if code is not None and code not in self.warehouses:
            row.refuse("unknown", "warehouse")
        elif code is not None and self._problem(code):
            row.refuse(self._problem(code), "warehouse")
        if row.is_wrong or sku is None or code is None:
            return False
        # numbers instead of texts: a million of these are kept
        key: Any = self.products[sku][0] << 32 | self.warehouses[code].pk
        lot = row.values.get("lot") or ""
        return not self.is_repeated(row, (key, lot) if lot else key, "sku")

    def _problem(self, code: str) -> str:
        if code not in self.problems:
            self.problems[code] = opening_problem(self.warehouses[code], opens_at=self.opens_at)
        return self.problems[code]

    def _stock_of(
        self, rows: Sequence[Row]
    ) -> tuple[dict[StockKey, int], set[StockKey], set[StockKey]]:
        """Of ledgers that run: opening quantities, keys with other movements, keys of zeros with a balance."""
        running, zeros = defaultdict(list), defaultdict(list)
        for row in rows:
            warehouse = self.warehouses[row.values["warehouse"]]
            if warehouse.ledger_start is not None:
                product_id = self.products[row.values["sku"]][0]
                running[warehouse.pk].append(product_id)
                if not row.values["quantity"]:
                    zeros[warehouse.pk].append(product_id)
        known: dict[StockKey, int] = {}
        moved, levelled = set[StockKey](), set[StockKey]()
        for place, products in running.items():
            known |= openings_of([(product_id, place) for product_id in products])
            rest = [product_id for product_id in products if (product_id, place) not in known]
            movements = StockMovement.objects.filter(warehouse=place, product__in=rest).order_by()
            moved |= {
                (pk, place) for pk in movements.values_list("product_id", flat=True).distinct()
            }
        for place, products in zeros.items():
            levels = StockLevel.objects.filter(warehouse=place, product__in=products)
            levelled |= {(pk, place) for pk in levels.values_list("product_id", flat=True)}
        return known, moved, levelled

    def _lots_of(self, rows: Sequence[Row]) -> dict[tuple[int, str], date | None]:
        tracked = {
            self.products[row.values["sku"]][0]
            for row in rows
            if self.products[row.values["sku"]][1]
        }
        if not tracked:
            return {}
        found = Lot.objects.filter(product__in=tracked)
        return {(lot.product_id, lot.code): lot.expires_on for lot in found}

    def _check_lot(
        self,
        row: Row,
        key: StockKey,
        known: dict[StockKey, int],
        lots: dict[tuple[int, str], date | None],
    ) -> None:
        values = row.values
        code, quantity = values.get("lot") or UNKNOWN_LOT, values["quantity"]
        expires_on = values.get("expires_on")
        day = lots.get((key[0], code))
        if expires_on is not None and day is not None and expires_on != day:
            row.refuse("lot_expiry", "expires_on", day=day.isoformat())
        elif key in known:
            entries = LotEntry.objects.filter(
                lot__code=code, movement__idempotency_key=f"opening:{key[1]}:{key[0]}"
            )
            pieces = entries.values_list("quantity", flat=True).first() or 0
            if pieces != quantity:
                row.refuse("opened_otherwise", "quantity", quantity=pieces)
        elif StockMovement.objects.filter(product_id=key[0], warehouse_id=key[1]).exists():
            row.refuse("moved_already", "sku")
        else:
            row.outcome = Outcome.NEW
            self.lots[key].append(LotShare(code, quantity, expires_on))

    def write(self, fence: Fence, progress: Progress) -> None:
        """All in one transaction; on SQLite in pieces, each of which can be repeated."""
        context = self.context
        facts: dict[str, Any] = {
            "opens_at": self.opens_at, "recorded_at": context.at, "by": context.by,
            "note": context.table_import.file_name[:200],
        }  # fmt: skip
        # in the order in which balances lie in their index: neighbours are written together
        self.openings.sort()
        if self.is_atomic:
            with fence():
                open_in_bulk(rows=self.openings, **facts)
                open_with_lots(lots=self.lots, **facts)
                self._serve_backorders()
            return
        with fence():
            open_with_lots(lots=self.lots, **facts)
        for start in range(0, len(self.openings), PIECE_OF_SQLITE):
            with fence():
                open_in_bulk(rows=self.openings[start : start + PIECE_OF_SQLITE], **facts)
            progress(start / len(self.openings), f"{start:,} / {len(self.openings):,}")
        with fence():
            self._serve_backorders()

    def _serve_backorders(self) -> None:
        """Customers who wait for one of these products get it first."""
        places = {row.warehouse_id for row in self.openings} | {key[1] for key in self.lots}
        waiting = waiting_lines().filter(warehouse__in=places).order_by()
        keys = set(waiting.values_list("product_id", "warehouse_id").distinct())
        if keys:
            allocate_backorders(keys=keys, at=self.context.at)


def opening_rows(scope: Scope, only: QuerySet[Any] | None) -> Iterator[Sequence[Any]]:
    """The opening movements; of products kept by lot, one row a lot."""
    movements = scope.restrict(
        StockMovement.objects.filter(kind=StockMovement.Kind.OPENING, reverses__isnull=True)
    )
    if only is not None:
        movements = movements.filter(product__in=only)
    rows = (
        movements.annotate(lot=F("lot_entries__lot__code"))
        .order_by("product__sku", "warehouse__code", "lot")
        .values_list(
            "product__sku", "warehouse__code", "quantity", "lot_entries__quantity", "lot",
            "lot_entries__lot__expires_on",
        )
    )  # fmt: skip
    for sku, code, quantity, pieces, lot, expires_on in rows.iterator(chunk_size=2000):
        yield sku, code, quantity if pieces is None else pieces, lot, expires_on


TABLES = (
    Table(
        "opening_stock", _("Opening stock"),
        _("What lies in a warehouse when its ledger begins; later figures are counts."),
        OPENING_STOCK, opening_rows, anchor="catalog.product", view="inventory.view_stockmovement",
        read_scope="stock:read", session=OpeningSession, change=("inventory.add_stockmovement",),
        write_scope="stock:write",
    ),
)  # fmt: skip
