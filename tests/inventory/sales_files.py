"""Small sales files for the tests of the import."""

import csv
import gzip
import io
from datetime import UTC, datetime
from pathlib import Path

from inventory.services.imports import create_batch, run_import

HEADING = (
    "InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID",
    "Country",
)  # fmt: skip


def row(
    order="500001",
    sku="85048",
    quantity=1,
    price="6.95",
    at="2010-01-05 10:00:00",
    name="GLASS BALL LIGHTS",
    customer="13085",
    country="United Kingdom",
):
    return (order, sku, name, quantity, at, price, customer, country)


def csv_bytes(rows, heading=HEADING):
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(heading)
    writer.writerows(rows)
    return text.getvalue().encode()


def write_csv(path: Path, rows, heading=HEADING) -> Path:
    data = csv_bytes(rows, heading)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def write_parquet(path: Path, rows, heading=HEADING) -> Path:
    import pandas as pd

    frame = pd.DataFrame(rows, columns=list(heading))
    if "InvoiceDate" in heading:
        frame["InvoiceDate"] = pd.to_datetime(frame["InvoiceDate"])
        frame["UnitPrice"] = frame["UnitPrice"].astype(float)
    frame.to_parquet(path, index=False)
    return path


# One row of every kind that the preset "online-retail" tells apart.
EVERY_KIND = (
    ("sale", row(order="500001")),
    ("sale", row(order="500001", sku=" 85048b ", name="LOWER CASE CODE")),
    ("sale", row(order="500001", sku="PADS", name="PADS TO MATCH ALL CUSHIONS")),
    ("return", row(order="C500002", quantity=-1, at="2010-01-06 10:00:00")),
    ("return", row(order="C500003", quantity=-1, customer="")),
    ("return", row(order="500004", quantity=-1)),
    ("postage", row(order="500005", sku="POST", name="POSTAGE")),
    ("postage", row(order="500005", sku="DOT", name="DOTCOM POSTAGE")),
    ("postage", row(order="500005", sku="C2", name="CARRIAGE")),
    ("bank_charges", row(order="500005", sku="BANK CHARGES", name="Bank Charges")),
    ("marketplace_fee", row(order="500005", sku="AMAZONFEE", name="AMAZON FEE")),
    ("marketplace_fee", row(order="C500005", sku="CRUK", name="CRUK Commission", quantity=-1)),
    ("manual_entry", row(order="500005", sku="m", name="Manual")),
    ("gift_voucher", row(order="500005", sku="gift_0001_20", name="Gift Voucher £20.00")),
    ("sample", row(order="500005", sku="S", name="SAMPLES")),
    ("discount", row(order="C500005", sku="D", name="Discount", quantity=-1)),
    ("adjustment", row(order="500005", sku="ADJUST2", name="Adjustment by Peter")),
    ("adjustment", row(order="A500005", sku="B", name="Adjust bad debt", price="-5000")),
    ("test_row", row(order="500005", sku="TEST001", name="This is a test product.")),
    ("zero_quantity", row(order="500006", quantity=0)),
    ("write_off", row(order="500006", quantity=-3, price="0", customer="", name="")),
    ("negative_price", row(order="500006", price="-1.5")),
    ("zero_price", row(order="500006", price="0")),
    ("missing_code", row(order="500006", sku="")),
    ("duplicate", row(order="500001")),
    ("rejected", row(order="500007", quantity="many")),
    ("rejected", row(order="500007", price="free")),
    ("rejected", row(order="500007", at="yesterday")),
    ("rejected", row(order="")),
    ("rejected", row(order="500007", sku="A@B")),
    ("rejected", row(order="500007", quantity="1.5")),
)


AT = datetime(2010, 2, 1, 12, tzinfo=UTC)
JANUARY = [
    row(order="1", sku="85048", quantity=10, price="2.00", at="2010-01-04 10:00:00"),
    row(order="1", sku="85049", quantity=4, price="5.00", at="2010-01-04 10:00:00"),
    row(order="2", sku="85048", quantity=6, price="2.00", at="2010-01-05 11:00:00", customer="2"),
    row(order="3", sku="85048", quantity=8, price="1.50", at="2010-01-06 09:00:00"),
    row(order="C4", sku="85048", quantity=-8, price="1.50", at="2010-01-06 12:00:00"),
    row(order="C5", sku="85049", quantity=-1, price="5.00", at="2010-01-20 12:00:00"),
]
FEBRUARY = [
    row(order="6", sku="85048", quantity=3, price="2.50", at="2010-02-03 10:00:00"),
    row(order="6", sku="85050", quantity=2, price="9.00", at="2010-02-03 10:00:00", customer="7"),
    row(order="C7", sku="85048", quantity=-5, price="2.00", at="2010-02-05 10:00:00"),
]


def import_rows(folder, rows, *, at=AT, name="sales.csv", dry_run=False, **options):
    path = write_csv(folder / name, rows)
    batch = create_batch(
        preset="online-retail", at=at, path=str(path), options=options, dry_run=dry_run
    )
    run_import(batch=batch, at=at)
    return batch
