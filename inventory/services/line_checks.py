"""What every document with lines asks of its texts and quantities."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Model
from django.utils.translation import gettext as _

from inventory.exceptions import InsufficientStock
from inventory.models import StockLevel
from inventory.services.movement_drafts import MAX_QUANTITY, StockKey

MOST_KEY = 120


def check_key(idempotency_key: str) -> None:
    """Refuse a key that cannot be stored."""
    if not 0 < len(idempotency_key) <= MOST_KEY or not idempotency_key.isprintable():
        raise ValidationError(
            {
                "idempotency_key": ValidationError(
                    _("A key has 1 to %(most)d printable characters.") % {"most": MOST_KEY},
                    code="key",
                )
            }
        )


def check_texts(model: type[Model], **texts: str) -> None:
    """Refuse a text that is longer than its column, or that no text column can hold."""
    for name, text in texts.items():
        most = getattr(model._meta.get_field(name), "max_length", None) or 0
        if len(text) > most:
            problem = _("At most %(most)d characters.") % {"most": most}
        elif "\x00" in text or any("\ud800" <= sign <= "\udfff" for sign in text):
            problem = _("The text has signs that cannot be stored.")
        else:
            continue
        raise ValidationError({name: ValidationError(problem, code="text")})


def check_quantity(quantity: Any, *, signed: bool = False) -> ValidationError | None:
    """Return what is wrong with a quantity of pieces, or ``None``."""
    if not isinstance(quantity, int) or isinstance(quantity, bool):
        return ValidationError(_("Enter a whole number."), code="quantity")
    if signed and quantity == 0:
        return ValidationError(_("The change cannot be zero."), code="quantity")
    if not signed and quantity < 1:
        return ValidationError(_("The quantity must be at least 1."), code="quantity")
    if abs(quantity) > MAX_QUANTITY:
        return ValidationError(
            _("At most %(most)d."), code="quantity", params={"most": MAX_QUANTITY}
        )
    return None


def check_available(
    *, levels: Mapping[StockKey, StockLevel], taken: Mapping[str, tuple[StockKey, int]]
) -> None:
    """Refuse a document that takes more than is available, naming every line that does.

    Args:
        levels: balances that are locked.
        taken: field of the line → (product and warehouse, pieces). What is reserved is not available.
    """
    errors: dict[str, Any] = {}
    for field, (key, pieces) in taken.items():
        level = levels[key]
        if pieces > level.available:
            errors[field] = InsufficientStock(
                requested=pieces,
                available=level.available,
                product=level.product.sku,
                warehouse=level.warehouse.code,
            )
    if errors:
        raise ValidationError(errors)
