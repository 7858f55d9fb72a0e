"""Raw Online Retail transactions become weekly demand per SKU, cleaned as the import cleans them."""

from pathlib import Path

import pandas as pd

WAREHOUSE = "MAIN"


def read_sales(path: Path) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return product sales (sku, customer, at, quantity, price) and the rows set aside, counted by reason."""
    raw = (
        pd.read_parquet(path)
        if path.suffix == ".parquet"
        else pd.read_csv(path, dtype={"StockCode": str})
    )
    counts = {"rows read": len(raw)}
    frame = raw.drop_duplicates()
    counts["exact duplicates"] = len(raw) - len(frame)
    frame = frame.assign(
        sku=frame["StockCode"].astype(str).str.strip().str.upper(),
        invoice=frame["InvoiceNo"].astype(str).str.upper(),
        at=pd.to_datetime(frame["InvoiceDate"]),
    )
    product = frame["sku"].str.fullmatch(r"\d{5}[A-Z]*")
    counts["no product code"] = int((~product).sum())
    frame = frame[product]
    cancelled = frame["invoice"].str.startswith("C")
    sale = ~cancelled & (frame["Quantity"] > 0) & (frame["UnitPrice"] > 0)
    cancellations = frame[cancelled & (frame["Quantity"] < 0)]
    counts["cancellations"] = len(cancellations)
    counts["zero or negative quantity or price"] = int((~sale & ~cancelled).sum())
    sales = frame[sale].copy()
    netted = _cancelled_same_day(sales, cancellations)
    counts["sales cancelled the same day"] = int(netted.sum())
    sales = sales[~netted]
    counts["sales kept"] = len(sales)
    columns = {"CustomerID": "customer", "Quantity": "quantity", "UnitPrice": "price"}
    return sales.rename(columns=columns)[["sku", "customer", "at", "quantity", "price"]], counts


def weekly_demand(sales: pd.DataFrame) -> pd.DataFrame:
    """Return the long frame unique_id, ds (Monday), y, revenue of whole weeks."""
    day = sales["at"].dt.normalize()
    monday = day - pd.to_timedelta(day.dt.weekday, unit="D")
    first_day, last_day = day.min(), day.max()
    whole = (monday >= first_day) & (monday + pd.Timedelta(days=6) <= last_day)
    frame = pd.DataFrame(
        {
            "unique_id": sales["sku"] + f"@{WAREHOUSE}",
            "ds": monday,
            "y": sales["quantity"],
            "revenue": sales["quantity"] * sales["price"],
        }
    )[whole]
    return frame.groupby(["unique_id", "ds"], as_index=False).sum()


def _cancelled_same_day(sales: pd.DataFrame, cancellations: pd.DataFrame) -> "pd.Series[bool]":
    """Mark sales that the same customer took back in full, SKU and quantity alike, on the same day.

    Only the same day: a later cancellation was not known when the demand was forecast.
    """

    def keyed(frame: pd.DataFrame, sign: int) -> pd.DataFrame:
        keys = pd.DataFrame(
            {
                "customer": frame["CustomerID"].astype("Float64").fillna(-1).astype("int64"),
                "sku": frame["sku"],
                "quantity": sign * frame["Quantity"].astype("int64"),
                "day": frame["at"].dt.normalize(),
            },
            index=frame.index,
        )
        return keys.assign(number=keys.groupby(["customer", "sku", "quantity", "day"]).cumcount())

    sold, taken_back = keyed(sales, 1), keyed(cancellations, -1)
    taken_back = taken_back[taken_back["customer"] >= 0]
    merged = sold.merge(taken_back, how="left", indicator=True)
    return pd.Series((merged["_merge"] == "both").to_numpy(), index=sales.index)
