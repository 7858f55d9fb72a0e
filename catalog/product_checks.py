"""What other apps have to say before a product changes: they register a check, the model asks them all."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from catalog.models import Product

_checks: list[str] = []


def register_product_check(path: str) -> None:
    """Have ``check(product)``, a dotted path, raise ValidationError by field where a change cannot be."""
    if path not in _checks:
        _checks.append(path)


def check_product(product: "Product") -> None:
    """Ask every app; called by ``Product.clean``, so by admin, forms, services and imports alike."""
    for path in _checks:
        check: Callable[[Product], None] = import_string(path)
        check(product)
