"""Tables as files: reading CSV and XLSX behind bounds, writing both so that reading gives the same back.

``read_table`` parses in a child process; nothing in this package loads openpyxl into the caller's process.
"""

from inventory.engine.tables.errors import TableFileRefused
from inventory.engine.tables.limits import Limits
from inventory.engine.tables.process import ReadRow, ReadTable, read_table
from inventory.engine.tables.texts import neutralised, restored
from inventory.engine.tables.writing import csv_pieces, write_xlsx

__all__ = [
    "Limits",
    "ReadRow",
    "ReadTable",
    "TableFileRefused",
    "csv_pieces",
    "neutralised",
    "read_table",
    "restored",
    "write_xlsx",
]
