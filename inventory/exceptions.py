"""What can go wrong with a rule, each with a code that pages, admin and API show in their own way."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.utils.translation import gettext as _


class InsufficientStock(ValidationError):
    """More would leave than is available. Carries both figures."""

    def __init__(self, *, requested: int, available: int, product: str, warehouse: str) -> None:
        self.requested = requested
        self.available = available
        super().__init__(
            _("%(product)s in %(warehouse)s: %(requested)d requested, %(available)d available."),
            code="insufficient_stock",
            params={
                "product": product,
                "warehouse": warehouse,
                "requested": requested,
                "available": available,
            },
        )


class InvalidTransition(ValidationError):
    """A state that cannot follow the present one."""

    def __init__(self, *, current: str, wanted: str) -> None:
        self.current = current
        self.wanted = wanted
        super().__init__(
            _("“%(wanted)s” cannot follow “%(current)s”."),
            code="invalid_transition",
            params={"current": current, "wanted": wanted},
        )


class StaleVersion(ValidationError):
    """The row changed since the caller read it. ``seen`` and ``current`` let a page show both."""

    def __init__(self, *, seen: int, current: Mapping[str, Any]) -> None:
        self.seen = seen
        self.current = dict(current)
        super().__init__(
            _("Somebody changed this meanwhile (you saw version %(seen)d, it is now %(version)d)."),
            code="stale_version",
            params={"seen": seen, "version": self.current["version"]},
        )


class OverLimit(ValidationError):
    """The value or deviation is above what this person may decide."""

    def __init__(self, limit: str) -> None:
        self.limit = limit
        super().__init__(limit, code="over_limit")


class NotAvailable(ValidationError):
    """An order asks for more than can be promised now. ``promises`` has the figures of each line."""

    def __init__(self, promises: Sequence[Any]) -> None:
        self.promises = tuple(promises)
        short = [promise for promise in self.promises if promise.available != "now"]
        super().__init__(
            {
                f"lines.{number}.quantity": ValidationError(
                    _(
                        "%(product)s in %(warehouse)s: %(requested)d requested, %(available)d available."
                    ),
                    code="not_available",
                    params={
                        "product": promise.sku,
                        "warehouse": promise.warehouse,
                        "requested": promise.requested,
                        "available": promise.quantity_now,
                    },
                )
                for number, promise in enumerate(self.promises)
                if promise in short
            }
        )


class IdempotencyConflict(ValidationError):
    """A key that was used before, now with other content."""

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(
            _("The key “%(key)s” was already used with other content."),
            code="idempotency_conflict",
            params={"key": key},
        )


class NotAllowed(PermissionDenied):
    """A right is missing; ``permission`` names it, so that somebody can grant it."""

    def __init__(self, message: str, *, permission: str = "", code: str = "not_allowed") -> None:
        self.permission = permission
        self.code = code
        super().__init__(message)
