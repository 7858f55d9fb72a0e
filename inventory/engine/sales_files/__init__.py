"""Sales files: reading them safely, and cleaning their rows. pandas and pyarrow load at call time."""

from inventory.engine.sales_files.cleaned import CleanedSales, CleaningOptions, RejectedRow
from inventory.engine.sales_files.errors import FileRefused
from inventory.engine.sales_files.presets import PRESETS, clean_file
from inventory.engine.sales_files.reading import RawTable, ReadLimits, read_table

__all__ = [
    "PRESETS",
    "CleanedSales",
    "CleaningOptions",
    "FileRefused",
    "RawTable",
    "ReadLimits",
    "RejectedRow",
    "clean_file",
    "read_table",
]
