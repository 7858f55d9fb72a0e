"""From text to numbers, days and moments, column by column, with a list of what could not be read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from inventory.engine.sales_files.cleaned import (
    MAX_PRICE_UNITS,
    MAX_QUANTITY,
    SAMPLE_SIZE,
    UNITS_PER_CURRENCY_UNIT,
    RejectedRow,
)
from inventory.engine.sales_files.errors import FileRefused

if TYPE_CHECKING:
    import pandas as pd

DAY_FIRST = ("%d/%m/%Y", "%d/%m/%Y %H:%M", "%d/%m/%Y %H:%M:%S")
MONTH_FIRST = ("%m/%d/%Y", "%m/%d/%Y %H:%M", "%m/%d/%Y %H:%M:%S")
DOTTED = ("%d.%m.%Y", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S")
EARLIEST_YEAR, LATEST_YEAR = 1970, 2100


class Faults:
    """The first fault of each row; rows without one go on."""

    def __init__(self, row_count: int) -> None:
        import numpy as np

        self.bad = np.zeros(row_count, dtype=bool)
        self._found: list[tuple[Any, str, str, Any]] = []

    def add(self, mask: Any, column: str, code: str, values: Any) -> None:
        import numpy as np

        fresh = np.asarray(mask, dtype=bool) & ~self.bad
        if fresh.any():
            self.bad |= fresh
            self._found.append((np.flatnonzero(fresh), column, code, values))

    def sample(self, lines: Any, size: int = SAMPLE_SIZE) -> list[RejectedRow]:
        rows = [
            RejectedRow(int(lines[position]), column, code, _shown(values, position))
            for positions, column, code, values in self._found
            for position in positions[:size]
        ]
        return sorted(rows, key=lambda row: row.line)[:size]


def _shown(values: Any, position: int) -> str:
    value = values.iloc[position] if hasattr(values, "iloc") else values[position]
    return "" if value is None or value != value else str(value)[:80]


def find_columns(
    frame: pd.DataFrame, wanted: Mapping[str, Sequence[str]], required: Sequence[str]
) -> dict[str, str]:
    """Our name -> the file's name; spelling differs in case, spaces and underscores only."""

    def plain(name: str) -> str:
        return re.sub(r"[\s_\-]", "", str(name)).lower()

    present = {plain(name): name for name in reversed(list(frame.columns))}
    found = {
        ours: present[plain(alias)]
        for ours, aliases in wanted.items()
        for alias in reversed(aliases)
        if plain(alias) in present
    }
    missing = [wanted[name][0] for name in required if name not in found]
    if missing:
        raise FileRefused(
            "missing_column", columns=missing, present=[str(name) for name in frame.columns][:30]
        )
    return found


def as_text(values: pd.Series) -> pd.Series:
    """Stripped text; an empty cell is missing. Whole numbers lose the ".0" that parquet gives them."""
    import pandas as pd

    if pd.api.types.is_float_dtype(values.dtype):
        whole = values.dropna()
        if len(whole) and (whole == whole.round()).all():
            values = values.astype("Int64")
    text = values.astype("string").str.strip()
    return text.mask(text == "")


def as_integer(values: pd.Series, faults: Faults, column: str, *, missing_ok: bool = False) -> Any:
    """int64 numbers; what is no whole number within ±10^9 is a fault (0 stands in its place)."""
    import numpy as np

    numbers = _numbers(values, faults, column, missing_ok=missing_ok)
    faults.add(numbers != np.rint(numbers), column, "not_whole", values)
    faults.add(np.abs(numbers) > MAX_QUANTITY, column, "too_large", values)
    return np.where(np.abs(numbers) > MAX_QUANTITY, 0, np.rint(numbers)).astype(np.int64)


def as_money(
    values: pd.Series, faults: Faults, column: str, *, missing_ok: bool = False
) -> tuple[Any, int]:
    """int64 amounts in 1/10,000 of a currency unit, and how many had to be rounded to that."""
    import numpy as np

    numbers = _numbers(values, faults, column, missing_ok=missing_ok) * UNITS_PER_CURRENCY_UNIT
    faults.add(np.abs(numbers) > MAX_PRICE_UNITS, column, "too_large", values)
    units = np.rint(np.where(np.abs(numbers) > MAX_PRICE_UNITS, 0, numbers))
    rounded = int((np.abs(numbers - units) > 1e-6 * np.maximum(np.abs(numbers), 1)).sum())
    return units.astype(np.int64), rounded


def _numbers(values: pd.Series, faults: Faults, column: str, *, missing_ok: bool) -> Any:
    import numpy as np
    import pandas as pd

    numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    empty = values.isna().to_numpy()
    if not pd.api.types.is_numeric_dtype(values.dtype):
        empty = empty | (values.astype("string").str.strip() == "").fillna(value=True).to_numpy(
            bool
        )
    unreadable = ~np.isfinite(numbers)
    if not missing_ok:
        faults.add(empty, column, "missing", values)
    faults.add(unreadable & ~empty, column, "not_a_number", values)
    return np.where(unreadable, 0.0, numbers)


def as_flag(values: pd.Series, faults: Faults, column: str) -> Any:
    """bool array from 1/0, true/false, yes/no, t/f, y/n; empty is False."""
    import numpy as np

    text = values.astype("string").str.strip().str.lower().fillna("")
    yes = text.isin(["1", "1.0", "true", "yes", "y", "t"]).to_numpy(bool)
    no = text.isin(["0", "0.0", "false", "no", "n", "f", ""]).to_numpy(bool)
    faults.add(~(yes | no), column, "not_a_flag", values)
    return np.asarray(yes, dtype=bool)


def as_moments(
    values: pd.Series, faults: Faults, column: str, *, date_format: str = ""
) -> tuple[Any, Any]:
    """Moments as numpy datetime64[us]: (value, is it UTC already?). A value without offset is local.

    Raises:
        FileRefused: less than half of the column can be read, or days and months cannot be told apart.
    """
    import numpy as np
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        aware = values.dt.tz is not None
        moments = (values.dt.tz_convert("UTC").dt.tz_localize(None) if aware else values).to_numpy()
        is_utc = np.full(len(values), aware)
    else:
        codes, unique = pd.factorize(values.astype("string").str.strip())
        parsed, unique_utc = _parse(pd.Series(unique, dtype="string"), codes, column, date_format)
        # one more place for "missing" (code -1)
        moments = np.append(parsed, np.datetime64("NaT"))[codes]
        is_utc = np.append(unique_utc, False)[codes]
    moments = moments.astype("datetime64[us]")
    unreadable = np.isnat(moments)
    faults.add(unreadable, column, "not_a_date", values)
    years = moments.astype("datetime64[Y]").astype(np.int64) + 1970
    wild = ~unreadable & ((years < EARLIEST_YEAR) | (years > LATEST_YEAR))
    faults.add(wild, column, "implausible_date", values)
    moments[unreadable | wild] = np.datetime64("1970-01-02")
    return moments, is_utc


def _parse(unique: pd.Series, codes: Any, column: str, date_format: str) -> tuple[Any, Any]:
    import numpy as np
    import pandas as pd

    weights = np.bincount(codes[codes >= 0], minlength=len(unique))
    has_offset = unique.str.contains(r"\d(?:Z|[+-]\d\d:?\d\d)$", regex=True).fillna(value=False)
    is_utc = has_offset.to_numpy(bool)

    def attempt(formats: Sequence[str]) -> Any:
        result = np.full(len(unique), np.datetime64("NaT"), dtype="datetime64[us]")
        for text_format in formats:
            open_ones = np.isnat(result)
            if not open_ones.any():
                break
            for utc in (False, True):
                chosen = open_ones & (is_utc == utc)
                if chosen.any():
                    parsed = pd.to_datetime(
                        unique[chosen], format=text_format, errors="coerce", utc=utc or None
                    )
                    naive = parsed.dt.tz_localize(None) if utc else parsed
                    result[chosen] = naive.to_numpy().astype("datetime64[us]")
        return result

    choices: list[tuple[str, ...]] = [("ISO8601",), DAY_FIRST, MONTH_FIRST, DOTTED]
    if date_format:
        choices = [(date_format,)]
    tried = []
    for formats in choices:
        result = attempt(formats)
        tried.append((int(weights[~np.isnat(result)].sum()), formats, result))
        if tried[-1][0] == weights.sum():
            break
    readable, best, result = max(tried, key=lambda item: item[0])
    if readable * 2 < max(len(codes), 1):
        example = next((str(text) for text in unique if pd.notna(text)), "")
        raise FileRefused("unreadable_dates", column=column, example=example[:40])
    if best == DAY_FIRST and not date_format:
        other = attempt(MONTH_FIRST)
        if weights[~np.isnat(other)].sum() == readable:
            raise FileRefused("ambiguous_dates", column=column, example=str(unique.iloc[0])[:40])
    return result, is_utc


def to_utc_and_day(moments: Any, is_utc: Any, zone: str) -> tuple[Any, Any]:
    """(UTC datetime64[us], local day datetime64[D]) of moments that are local unless ``is_utc``."""
    import numpy as np
    import pandas as pd

    codes, unique = pd.factorize(moments)
    stamps = pd.DatetimeIndex(unique)
    # an hour that the clock repeats is taken as its first, one that it skips moves forward
    from_local = stamps.tz_localize(
        zone, ambiguous=np.ones(len(stamps), dtype=bool), nonexistent="shift_forward"
    )
    local_utc = from_local.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[us]")
    local_day = stamps.to_numpy().astype("datetime64[D]")
    utc, day = local_utc[codes], local_day[codes]
    if is_utc.any():
        as_local = stamps.tz_localize("UTC").tz_convert(zone).tz_localize(None)
        utc_day = as_local.to_numpy().astype("datetime64[D]")
        utc = np.where(is_utc, moments, utc)
        day = np.where(is_utc, utc_day[codes], day)
    return utc, day
