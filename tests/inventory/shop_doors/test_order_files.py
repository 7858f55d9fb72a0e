"""Files and messages of shops become one form: states, money, times, and faults with row and column."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from inventory.engine.order_files import FileLimits, ReadOptions, parse_file, parse_message
from inventory.engine.sales_files import FileRefused
from tests.inventory.shop_doors.messages import (
    GRANARY_HEADING,
    SHOPIFY_HEADING,
    WOO_HEADING,
    granary_order,
    shopify_fulfilment,
    shopify_order,
    woo_order,
    woo_row,
)

OPTIONS = ReadOptions(time_zone="Europe/Berlin", pseudonym=lambda email: f"e-{len(email)}")


@pytest.fixture
def read(tmp_path):
    def parse(kind, *rows, options=OPTIONS, limits=None):
        path = tmp_path / "orders.csv"
        data = rows[0] if isinstance(rows[0], bytes) else "\n".join(rows).encode()
        path.write_bytes(data)
        return parse_file(path, kind=kind, options=options, limits=limits)

    return parse


def faults_of(found):
    return [(fault.row, fault.field, fault.code) for fault in found.faults]


# --- WooCommerce ------------------------------------------------------------------------------------
def test_a_row_of_woocommerce_becomes_an_order(read):
    (order,) = read("woocommerce", WOO_HEADING, woo_row()).orders
    assert (order.order_ref, order.currency, order.payment) == ("727", "EUR", "paid")
    assert order.placed_at == datetime(2026, 11, 20, 8, tzinfo=UTC)  # the shop's clock is in Berlin
    assert (order.customer_key, order.region_code) == ("26", "DE")
    assert order.paid_amount == Decimal("15.0000")
    (line,) = order.lines
    assert (line.line, line.sku, line.quantity, line.unit_price) == (1, "MUG-1", 2, Decimal("7.5"))


def test_nothing_personal_is_read(read):
    found = read("woocommerce", WOO_HEADING, woo_row(customer_id="0"))
    message, _faults = parse_message(shopify_order(customer=None), kind="shopify", options=OPTIONS)
    for word in ("Ada", "Main Street", "example.org"):
        assert word not in repr(found)
        assert word not in repr(message)
    assert found.orders[0].customer_key == message.customer_key == "e-15"


@pytest.mark.parametrize(
    ("status", "payment", "shipped", "cancelled", "returned"),
    [
        ("pending", "pending", 0, 0, 0),
        ("on-hold", "pending", 0, 0, 0),
        ("processing", "paid", 0, 0, 0),
        ("completed", "paid", 2, 0, 0),
        ("cancelled", "paid", 0, 2, 0),
        ("refunded", "refunded", 2, 0, 2),
    ],
)
def test_states_of_woocommerce(status, payment, shipped, cancelled, returned):
    paid = (
        {}
        if status in ("processing", "completed", "refunded", "cancelled")
        else {"date_paid_gmt": None}
    )
    order, faults = parse_message(
        woo_order(status=status, **paid), kind="woocommerce", options=OPTIONS
    )
    assert faults == ()
    line = order.lines[0]
    assert order.payment == payment
    assert (line.shipped, line.cancelled, line.returned) == (shipped, cancelled, returned)
    assert not line.restocked  # WooCommerce does not say that the goods came back


def test_cash_on_delivery_may_leave_before_it_is_paid():
    body = woo_order(date_paid_gmt=None, payment_method="cod")
    order, _faults = parse_message(body, kind="woocommerce", options=OPTIONS)
    assert order.payment == "on_account"


@pytest.mark.parametrize("status", ["failed", "checkout-draft", "trash"])
def test_what_is_no_order_yet_is_skipped(status):
    order, faults = parse_message(woo_order(status=status), kind="woocommerce", options=OPTIONS)
    assert faults == ()
    assert order.skipped


def test_a_deleted_order_is_no_order():
    assert parse_message({"id": 727}, kind="woocommerce", options=OPTIONS) == (None, ())


def test_one_row_a_line_item_and_line_items_in_one_cell_are_the_same_order(read):
    rows = read(
        "woocommerce",
        "Order Number,Order Status,Order Date,Order Currency,SKU,Quantity,Item Cost,Email (Billing)",
        "9,Processing,2026-11-20 10:00,EUR,MUG-1,2,7.50,a@b.c",
        "9,Processing,2026-11-20 10:00,EUR,LAMP-1,1,30.00,a@b.c",
    )
    cell = read(
        "woocommerce",
        "order_number,status,date,currency,billing_email,line_items",
        "9,wc-processing,2026-11-20 10:00,EUR,a@b.c,"
        "name:Mug|sku:MUG-1|quantity:2|total:15.00;name:Lamp|sku:LAMP-1|quantity:1|total:30.00",
    )
    as_json = read(
        "woocommerce",
        "order_number;status;date;currency;billing_email;line_items",
        '9;processing;2026-11-20 10:00;EUR;a@b.c;"[{""sku"":""MUG-1"",""quantity"":2,""price"":7.5},'
        '{""sku"":""LAMP-1"",""quantity"":1,""price"":30}]"',
    )
    wanted = [("MUG-1", 2, Decimal("7.5")), ("LAMP-1", 1, Decimal(30))]
    for found in (rows, cell, as_json):
        assert found.faults == ()
        assert [
            (line.sku, line.quantity, line.unit_price) for line in found.orders[0].lines
        ] == wanted
        assert found.orders[0].customer_key == "e-5"


# --- Shopify ----------------------------------------------------------------------------------------
def shopify_row(name="#1001", first=True, quantity=2, sku="MUG-1", fulfilment="unfulfilled",
                financial="paid", cancelled="", shipping="true"):  # fmt: skip
    head = (
        f"ada@example.org,{financial},2026-11-20 10:05:00 +0100,{fulfilment},,EUR,45.00,"
        "2026-11-20 10:00:00 +0100"
    )
    empty = ",,,,,,,"
    of_line = "fulfilled" if fulfilment == "fulfilled" else "pending"
    return (
        f"{name},{head if first else empty},{quantity},Mug,7.50,{sku},{shipping},{of_line},"
        f"Ada Lovelace,DE,{cancelled},0.00,45078"
    )


def test_rows_of_shopify_share_the_head_of_their_first_row(read):
    found = read("shopify", SHOPIFY_HEADING, shopify_row(), shopify_row(first=False, sku="LAMP-1"))
    assert found.faults == ()
    (order,) = found.orders
    assert (order.order_ref, order.payment, order.row_count) == ("#1001", "paid", 2)
    assert order.placed_at == datetime(2026, 11, 20, 9, tzinfo=UTC)
    assert [(line.line, line.sku) for line in order.lines] == [(1, "MUG-1"), (2, "LAMP-1")]


@pytest.mark.parametrize(
    ("changes", "shipped", "cancelled", "returned"),
    [
        ({}, 0, 0, 0),
        ({"fulfilment": "fulfilled"}, 2, 0, 0),
        ({"cancelled": "2026-11-21 10:00:00 +0100"}, 0, 2, 0),
        ({"fulfilment": "fulfilled", "financial": "refunded"}, 2, 0, 2),
        ({"financial": "refunded"}, 0, 2, 0),
    ],
)
def test_states_of_the_shopify_export(read, changes, shipped, cancelled, returned):
    (order,) = read("shopify", SHOPIFY_HEADING, shopify_row(**changes)).orders
    line = order.lines[0]
    assert (line.shipped, line.cancelled, line.returned) == (shipped, cancelled, returned)


def test_a_gift_card_is_nothing_of_the_stock(read):
    found = read(
        "shopify",
        SHOPIFY_HEADING,
        shopify_row(),
        shopify_row(first=False, sku="", shipping="false"),
    )
    assert found.faults == ()
    assert [line.sku for line in found.orders[0].lines] == ["MUG-1"]


@pytest.mark.parametrize(
    ("changes", "shipped", "cancelled", "returned", "restocked"),
    [
        ({"fulfillments": [shopify_fulfilment(1)], "fulfillment_status": "partial"}, 1, 0, 0, False),
        ({"fulfillments": [shopify_fulfilment(2, "cancelled")]}, 0, 0, 0, False),
        ({"cancelled_at": "2026-11-21T10:00:00Z"}, 0, 2, 0, False),
        ({"fulfillments": [shopify_fulfilment(2)], "refunds": [{"refund_line_items": [
            {"line_item_id": 466157049, "quantity": 1, "restock_type": "return"}]}]}, 2, 0, 1, True),
        ({"refunds": [{"refund_line_items": [
            {"line_item_id": 466157049, "quantity": 1, "restock_type": "cancel"}]}]}, 0, 1, 0, False),
        ({"fulfillments": [shopify_fulfilment(2)], "refunds": [{"refund_line_items": [
            {"line_item_id": 466157049, "quantity": 2, "restock_type": "no_restock"}]}]}, 2, 0, 0, False),
    ],
)  # fmt: skip
def test_states_of_a_shopify_message(changes, shipped, cancelled, returned, restocked):
    order, faults = parse_message(shopify_order(**changes), kind="shopify", options=OPTIONS)
    assert faults == ()
    line = order.lines[0]
    assert (line.shipped, line.cancelled, line.returned) == (shipped, cancelled, returned)
    assert line.restocked is restocked


def test_file_and_message_of_shopify_name_the_same_order(read):
    (row,) = read("shopify", SHOPIFY_HEADING, shopify_row()).orders
    order, _faults = parse_message(shopify_order(), kind="shopify", options=OPTIONS)
    assert (row.order_ref, row.lines[0].line, row.placed_at) == (
        order.order_ref, order.lines[0].line, order.placed_at,
    )  # fmt: skip


# --- Granary ----------------------------------------------------------------------------------------
def test_granarys_own_rows_and_message(read):
    (row,) = read(
        "granary", GRANARY_HEADING,
        "A-1,1,MUG-1,MAIN,3,7.50,EUR,2026-11-20T09:00:00Z,26,paid,22.50,2,2026-11-21T09:00:00Z,1,1,"
        "2026-11-22T09:00:00Z,no",
    ).orders  # fmt: skip
    line = row.lines[0]
    assert (line.shipped, line.cancelled, line.returned, line.restocked) == (2, 1, 1, False)
    assert line.warehouse_code == "MAIN"
    order, faults = parse_message(granary_order(), kind="granary", options=OPTIONS)
    assert faults == ()
    assert order.lines[0].unit_price == Decimal("7.5")


def test_more_than_was_ordered_cannot_have_been_shipped():
    body = granary_order(
        lines=[{"sku": "MUG-1", "quantity": 2, "unit_price": 1, "shipped_quantity": 3}],
        shipped_at="2026-11-21",
    )
    _order, faults = parse_message(body, kind="granary", options=OPTIONS)
    assert [(fault.field, fault.code) for fault in faults] == [
        ("lines.0.shipped_quantity", "more_than_ordered")
    ]


# --- what is wrong ------------------------------------------------------------------------------------
def test_a_fault_names_row_and_column_and_leaves_out_the_whole_order(read):
    found = read(
        "woocommerce", WOO_HEADING, woo_row(727, quantity=2), woo_row(728, status="shipped?"),
        woo_row(729, sku=""), woo_row(727),
    )  # fmt: skip
    assert [order.order_ref for order in found.orders] == ["727"]
    assert faults_of(found) == [(3, "status", "unknown_status"), (4, "line_item_1.sku", "missing")]
    assert (found.rows_read, found.broken_orders) == (4, 2)
    assert "shipped?" not in repr(found.faults)  # cells are not repeated


def test_a_shifted_row_is_no_order(read):
    found = read("woocommerce", WOO_HEADING, woo_row() + ",,")
    assert found.orders == ()
    assert faults_of(found) == [(2, "", "wrong_number_of_columns")]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("13/01/2026 10:00", "not_a_date"), ("2026-02-30 10:00", "not_a_date"),
        ("9999-01-01 10:00", "implausible_date"), ("2026-11-20T10:00:00+99:99", "not_a_date"),
    ],
)  # fmt: skip
def test_dates_that_cannot_be_read(text, code):
    body = woo_order(date_created_gmt=None, date_created=text)
    _order, faults = parse_message(body, kind="woocommerce", options=OPTIONS)
    assert (
        "date_created_gmt" in faults[0].field or "date_created" in faults[0].field,
        faults[0].code,
    ) == (True, code)


def test_a_date_format_makes_other_dates_readable():
    options = ReadOptions(date_format="%d/%m/%Y %H:%M", time_zone="UTC")
    body = woo_order(date_created_gmt=None, date_created="13/01/2026 10:00")
    order, faults = parse_message(body, kind="woocommerce", options=options)
    assert faults == ()
    assert order.placed_at == datetime(2026, 1, 13, 10, tzinfo=UTC)


HOSTILE = [
    ("quantity", 10**30, "too_large"), ("quantity", -1, "too_small"), ("quantity", 0, "too_small"),
    ("quantity", 1.5, "not_whole"), ("quantity", True, "not_whole"), ("quantity", "٣", "not_whole"),
    ("quantity", [], "not_whole"), ("quantity", "9" * 5000, "not_whole"),
    ("price", float("nan"), "not_money"), ("price", float("inf"), "not_money"),
    ("price", -1, "not_money"), ("price", "1e5", "not_money"), ("price", 10**20, "not_money"),
    ("price", 10**14, "too_large"), ("price", {}, "not_money"), ("price", "9" * 5000, "not_money"),
    ("sku", "x" * 61, "too_long"), ("sku", "a\x00b", "not_text"), ("sku", "\ud800", "not_text"),
    ("sku", {"a": 1}, "not_text"), ("sku", None, "missing"), ("sku", True, "not_text"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "code"), HOSTILE)
def test_hostile_values_are_faults_of_their_field(name, value, code):
    line = {"sku": "MUG-1", "quantity": 1, "price": 1} | {name: value}
    order, faults = parse_message(woo_order(line_items=[line]), kind="woocommerce", options=OPTIONS)
    assert order is None
    assert [(fault.field, fault.code) for fault in faults] == [(f"line_items.0.{name}", code)]


@pytest.mark.parametrize("kind", ["woocommerce", "shopify", "granary"])
@pytest.mark.parametrize(
    "body", [[], "x", 7, None, {"line_items": 3, "status": "processing", "lines": 3},
             {"line_items": [3], "status": [], "lines": [None]},
             {"line_items": {}, "billing": 3, "customer": [], "status": "processing", "lines": {}}],
)  # fmt: skip
def test_a_body_of_another_shape_is_a_fault_not_a_crash(kind, body):
    order, faults = parse_message(body, kind=kind, options=OPTIONS)
    assert order is None
    assert faults


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty_file"), (b"PK\x03\x04zip", "wrong_type"), (b"a,b\n", "no_rows"),
        (b"a,a\n1,2\n", "duplicate_column"), (b"\xff\xfea", "wrong_encoding"),
        (b"a,b\n\x001,2\n", "binary_content"), (b"a,b\n1,2\n", "missing_column"),
        (b'a,b\n"1,2\n', "damaged_csv"), (b",,\n1,2,3\n", "no_heading"),
        (b",".join(b"c%d" % n for n in range(700)) + b"\n1\n", "too_many_columns"),
    ],
)  # fmt: skip
def test_files_that_are_refused(read, data, code):
    with pytest.raises(FileRefused) as refused:
        read("woocommerce", data)
    assert refused.value.code == code


def test_files_are_bounded(read):
    limits = FileLimits(max_bytes=1000, max_rows=2)
    with pytest.raises(FileRefused, match="too_many_rows"):
        read("granary", "order_ref,sku", "1,a", "2,b", "3,c", limits=limits)
    with pytest.raises(FileRefused, match="too_large"):
        read("granary", b"x" * 1001, limits=limits)


def test_an_unknown_encoding_is_named(read):
    for encoding in ("no-such", "base64"):
        with pytest.raises(FileRefused, match="unknown_encoding"):
            read("granary", "order_ref,sku", "1,a", options=ReadOptions(encoding=encoding))


def test_lines_are_counted_where_cells_hold_line_breaks(read):
    found = read(
        "granary", "order_ref,sku,quantity,unit_price,placed_at,currency",
        '"A-1",MUG-1,1,"1.00","2026-11-20","EUR"', '"A\n-2",MUG-1,x,1,2026-11-20,EUR',
        "A-3,MUG-1,x,1,2026-11-20,EUR",
    )  # fmt: skip
    assert (5, "quantity", "not_whole") in faults_of(found)
