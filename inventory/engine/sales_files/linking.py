"""Which sale a return takes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def link_returns(sales: pd.DataFrame, returns: pd.DataFrame) -> Any:
    """For each return the position of its sale in ``sales``, or -1.

    A return belongs to the latest sale of the same customer, product and warehouse at or before its own
    time of which enough units have not come back yet. Returns are settled in the order of their time, so
    a file that is continued later links its old returns in the same way.

    Args:
        sales, returns: tables of `CleanedSales`.

    Returns:
        int64[len(returns)].
    """
    import numpy as np
    import pandas as pd

    links = np.full(len(returns), -1, dtype=np.int64)
    known = returns["customer"].notna().to_numpy()
    if not known.any() or not len(sales):
        return links
    key = ["customer", "sku", "warehouse"]
    ours = returns.loc[known, [*key, "at", "quantity", "order_ref", "line"]].copy()
    ours["return_position"] = np.flatnonzero(known)
    theirs = sales[[*key, "at", "quantity"]].copy()
    theirs["sale_position"] = np.arange(len(sales))
    theirs = theirs[theirs["customer"].isin(ours["customer"].unique())]
    for name in key:
        ours[name] = ours[name].astype("string")
        theirs[name] = theirs[name].astype("string")
    pairs = ours.merge(theirs, on=key, suffixes=("", "_sold"))
    pairs = pairs[(pairs["at_sold"] <= pairs["at"]) & (pairs["quantity_sold"] >= pairs["quantity"])]
    pairs["order_ref"] = pairs["order_ref"].astype("string")
    pairs = pairs.sort_values(
        ["at", "order_ref", "line", "at_sold", "sale_position"],
        ascending=[True, True, True, False, False],
    )
    left: dict[int, int] = {}
    columns = (pairs[name].to_numpy() for name in ("return_position", "sale_position"))
    amounts = (pairs[name].to_numpy() for name in ("quantity", "quantity_sold"))
    for returned, sold, quantity, most in zip(*columns, *amounts, strict=True):
        if links[returned] < 0 and left.get(sold, most) >= quantity:
            left[sold] = left.get(sold, most) - quantity
            links[returned] = sold
    return pd.Series(links).to_numpy()
