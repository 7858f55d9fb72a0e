"""From a promo column to promotions with a first and a last day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

FLAGS_ON = ("1", "1.0", "true", "yes", "y", "t")
FLAGS_OFF = ("0", "0.0", "false", "no", "n", "f")
SAME_RUN_DAYS = 7  # a promoted product need not sell every day of its promotion
COLUMNS = ("code", "name", "sku", "starts_on", "ends_on")


def promotion_runs(sku: pd.Series, day: Any, promo: pd.Series) -> pd.DataFrame:
    """Runs of promoted days; a pause of more than a week begins a new promotion.

    A column of flags makes one promotion per span of days, with all products that share the span. Any
    other text is the name of a campaign: one promotion per campaign and run, with its products.

    Args:
        sku, promo: text; day: datetime64[D]; equal lengths. Empty and "off" cells are no promotion.

    Returns:
        One row per promotion and product: code, name, sku, starts_on, ends_on (Python dates).
    """
    import numpy as np
    import pandas as pd

    text = promo.str.lower()
    on = (text.notna() & ~text.isin(FLAGS_OFF)).to_numpy(bool)
    if not on.any():
        return pd.DataFrame(columns=list(COLUMNS))
    is_flag = bool(text[on].isin(FLAGS_ON).all())
    rows = pd.DataFrame(
        {
            "sku": sku[on].to_numpy(),
            "day": np.asarray(day)[on].astype("datetime64[s]"),
            "name": "" if is_flag else promo[on].to_numpy(),
        }
    )
    key = "sku" if is_flag else "name"
    rows = rows.sort_values([key, "day"], kind="stable")
    pause = rows.groupby(key)["day"].diff() > pd.Timedelta(days=SAME_RUN_DAYS)
    rows["run"] = pause.groupby(rows[key]).cumsum()
    span = rows.groupby([key, "run"])["day"]
    rows["starts_on"], rows["ends_on"] = span.transform("min"), span.transform("max")
    runs = rows.drop_duplicates(["name", "sku", "starts_on", "ends_on"])
    starts, ends = runs["starts_on"].dt.strftime("%Y%m%d"), runs["ends_on"].dt.strftime("%Y%m%d")
    if is_flag:
        codes = "PROMO-" + starts + "-" + ends
        names = "Promotion " + runs["starts_on"].dt.strftime("%Y-%m-%d")
    else:
        codes = runs["name"].str.replace("@", " ", regex=False).str[:30] + "-" + starts
        names = runs["name"].str[:120]
    return pd.DataFrame(
        {
            "code": codes.to_numpy(),
            "name": names.to_numpy(),
            "sku": runs["sku"].to_numpy(),
            "starts_on": runs["starts_on"].dt.date.to_numpy(),
            "ends_on": runs["ends_on"].dt.date.to_numpy(),
        }
    )
