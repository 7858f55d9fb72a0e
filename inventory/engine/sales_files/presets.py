"""The presets by name: how each kind of file is read and cleaned."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from inventory.engine.sales_files import generic, m5, online_retail
from inventory.engine.sales_files.cleaned import CleanedSales, CleaningOptions
from inventory.engine.sales_files.reading import ReadLimits

Cleaner = Callable[..., CleanedSales]

PRESETS: dict[str, Cleaner] = {
    "online-retail": online_retail.clean,
    "generic": generic.clean,
    "m5": m5.clean,
}


def clean_file(
    path: Path,
    *,
    preset: str,
    options: CleaningOptions,
    file_name: str = "",
    limits: ReadLimits | None = None,
    encoding: str = "utf-8",
) -> CleanedSales:
    """Read and clean one file; see `CleanedSales` for what comes back.

    Raises:
        FileRefused: the file as a whole cannot be imported.
    """
    cleaned = PRESETS[preset](
        path, options=options, file_name=file_name, limits=limits, encoding=encoding
    )
    cleaned.check()
    return cleaned
