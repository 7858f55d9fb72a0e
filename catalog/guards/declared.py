"""Guards of the catalog."""

from catalog.guards.declarations import AppendOnly, Guard, NoOverlap

GUARDS: list[Guard] = [
    AppendOnly("catalog.AuditEntry"),
    NoOverlap(
        "catalog.Price",
        start="valid_from",
        end="valid_to",
        number_keys=("product",),
        text_keys=("channel",),
    ),
]
