"""Steps that all presets share: line numbers, outcomes of rows, the tables at the end."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from inventory.engine.sales_files.cleaned import SAMPLE_SIZE, CleaningOptions, RejectedRow
from inventory.engine.sales_files.columns import Faults
from inventory.engine.sales_files.reading import RawTable
from inventory.engine.sales_files.rules import region_row

if TYPE_CHECKING:
    import pandas as pd

MAX_CODE_LENGTH = 60
MAX_ORDER_LENGTH = 64


class Outcomes:
    """One outcome per readable row: the first that is given stays."""

    def __init__(self, row_count: int) -> None:
        import numpy as np

        self.names: list[str] = []
        self.code = np.full(row_count, -1, dtype=np.int16)

    def give(self, mask: Any, name: str) -> None:
        if name not in self.names:
            self.names.append(name)
        self.code[(self.code < 0) & mask] = self.names.index(name)

    def open(self) -> Any:
        return self.code < 0

    def of(self, name: str) -> Any:
        return self.code == self.names.index(name) if name in self.names else self.code == -2

    def counts(self, malformed_count: int = 0) -> dict[str, int]:
        import numpy as np

        counted = np.bincount(self.code, minlength=len(self.names))
        counts = {name: int(count) for name, count in zip(self.names, counted, strict=True)}
        if malformed_count:
            counts["rejected"] = counts.get("rejected", 0) + malformed_count
        return {name: count for name, count in counts.items() if count}


def line_numbers(orders: pd.Series, raw: RawTable, order_position: int) -> Any:
    """Running number of each readable row within its order, from 1, over all rows of the file.

    Rows that are rejected or set aside are counted too, so that neither a switch nor a corrected row
    changes the identity (order, line) of the rows around it. A row with a wrong number of columns counts
    with its order where that can still be read.
    """
    import numpy as np
    import pandas as pd

    if not raw.malformed:
        return orders.groupby(orders, sort=False, dropna=False).cumcount().to_numpy() + 1
    stray = [
        (
            line,
            fields[order_position].strip().strip('"')
            if 0 <= order_position < len(fields)
            else None,
        )
        for line, text in raw.malformed
        for fields in [text.split(raw.delimiter)]
    ]
    lines = np.concatenate([raw.lines, [line for line, _ in stray]])
    everything = pd.concat(
        [orders, pd.Series([order for _, order in stray], dtype="string")], ignore_index=True
    ).iloc[np.argsort(lines, kind="stable")]
    numbers = everything.groupby(everything, sort=False, dropna=False).cumcount() + 1
    return numbers.sort_index().to_numpy()[: len(orders)]


def rejected_rows(raw: RawTable, faults: Faults) -> list[RejectedRow]:
    malformed = [
        RejectedRow(line, "", "wrong_number_of_columns", text[:80])
        for line, text in raw.malformed[:SAMPLE_SIZE]
    ]
    rows = sorted([*malformed, *faults.sample(raw.lines)], key=lambda row: row.line)
    return rows[:SAMPLE_SIZE]


def check_codes(
    codes: pd.Series, faults: Faults, column: str, *, limit: int, at_sign_ok: bool = False
) -> None:
    """Codes are identities in our database: bounded, and without the sign that joins SKU and warehouse."""
    faults.add((codes.str.len() > limit).fillna(value=False), column, "too_long", codes)
    if not at_sign_ok:
        faults.add(
            codes.str.contains("@", regex=False).fillna(value=False), column, "at_sign", codes
        )


def customer_keys(customers: pd.Series, options: CleaningOptions) -> pd.Series:
    """The shop's own ids; hashed where wished, and always where they look like an e-mail address."""
    import pandas as pd

    codes, unique = pd.factorize(customers)
    keys = []
    for value in unique:
        personal = "@" in value or len(value) > MAX_ORDER_LENGTH
        keys.append(options.pseudonym(value) if options.hash_customers or personal else value)
    categories = pd.Index(pd.unique(pd.Series(keys, dtype="string")))
    positions = pd.Series(categories.get_indexer(keys)).to_numpy()
    result = positions[codes] if len(keys) else codes
    result = pd.Series(result).mask(codes < 0, -1).to_numpy() if len(keys) else codes
    return pd.Series(pd.Categorical.from_codes(result, categories), index=customers.index)


def categorical(values: pd.Series) -> pd.Series:
    """Text as categories in order of appearance (quick to turn into database ids)."""
    import pandas as pd

    codes, unique = pd.factorize(values)
    return pd.Series(pd.Categorical.from_codes(codes, pd.Index(unique)), index=values.index)


def constant(value: str, row_count: int) -> pd.Series:
    import numpy as np
    import pandas as pd

    return pd.Series(pd.Categorical.from_codes(np.zeros(row_count, dtype=np.int8), [value]))


def most_frequent(keys: pd.Series, values: pd.Series) -> pd.Series:
    """The most frequent value of each key; among equals the one that sorts first."""
    import pandas as pd

    pairs = pd.DataFrame({"key": keys.astype("string"), "value": values}).dropna()
    counted = pairs.groupby(["key", "value"], sort=True, observed=True).size().reset_index(name="n")
    first = counted.sort_values(["key", "n"], ascending=[True, False], kind="stable")
    return first.drop_duplicates("key").set_index("key")["value"]


def region_codes(names: pd.Series) -> tuple[pd.DataFrame, dict[str, str]]:
    """Regions that the names stand for, and the code of each name."""
    import pandas as pd

    rows: dict[str, tuple[str, str, str, str]] = {}
    code_of: dict[str, str] = {}
    for name in names.dropna().unique():
        row = region_row(str(name))
        if row is not None:
            rows.setdefault(row[0], row)
            code_of[str(name)] = row[0]
    columns = ["code", "name", "holiday_country", "time_zone"]
    return pd.DataFrame(list(rows.values()), columns=columns), code_of


def order_refs_by_day(sku: pd.Series, warehouse: pd.Series, day: Any) -> pd.Series:
    """Order names for rows without one: product, warehouse and day (hashed where too long)."""
    import numpy as np
    import pandas as pd

    days = pd.Series(np.datetime_as_string(day), index=sku.index, dtype="string")
    names = sku.fillna("").str.cat([warehouse.fillna(""), days], sep="|")
    too_long = names.str.len() > MAX_ORDER_LENGTH
    if too_long.any():
        hashed = names[too_long].map(lambda name: hashlib.sha256(name.encode()).hexdigest())
        names = names.mask(too_long, hashed)
    return names


def matching(values: pd.Series, pattern: str, *, whole: bool = True) -> Any:
    """bool array; each distinct value is looked at once."""
    import numpy as np
    import pandas as pd

    codes, unique = pd.factorize(values)
    test: Callable[[str], Any] = (
        re.compile(pattern).fullmatch if whole else re.compile(pattern).match
    )
    hits = np.array([bool(test(value)) for value in unique] + [False], dtype=bool)
    return hits[codes]


def fact_table(columns: Mapping[str, Any], mask: Any) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(dict(columns))[mask].reset_index(drop=True)
