"""Orders of shops, from files and messages: one neutral form, no personal data, no Django."""

from inventory.engine.order_files.formats import FORMATS, parse_file, parse_message
from inventory.engine.order_files.neutral import (
    Fault,
    OrderFile,
    ReadOptions,
    ShopLine,
    ShopOrder,
)
from inventory.engine.order_files.reading import FileLimits

__all__ = [
    "FORMATS",
    "Fault",
    "FileLimits",
    "OrderFile",
    "ReadOptions",
    "ShopLine",
    "ShopOrder",
    "parse_file",
    "parse_message",
]
