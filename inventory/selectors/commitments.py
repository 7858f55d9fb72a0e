"""What a person has committed to a supplier: the sum that a limit per day looks at."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, Sum

from catalog.fields import MoneyField
from catalog.models import Supplier
from inventory.models import Decision, PurchaseOrder, PurchaseOrderLine

DECIDED = (Decision.Action.APPROVE, Decision.Action.OVERRIDE, Decision.Action.SECOND_APPROVE)


def committed_to(
    *, user: Any, supplier: Supplier, since: datetime, without: PurchaseOrder | None = None
) -> dict[str, Decimal]:
    """Return the value by currency of the order lines that the person answers for since a moment.

    A line counts once: because the person decided its suggestion alone or gave the second approval, wrote
    it by hand, or approved its order. Decisions that waited for somebody else count for that person.
    Cancelled orders do not count. No scope: it is the person's own doing, wherever it was.
    """
    decided = Decision.objects.filter(
        Q(suggestion=OuterRef("suggestion")) | Q(suggestion__merged_into__line=OuterRef("pk")),
        Q(action=Decision.Action.SECOND_APPROVE) | Q(limit_exceeded=""),
        action__in=DECIDED, by=user, policy__isnull=True, at__gt=since,
    )  # fmt: skip
    wrote = PurchaseOrder.authors.through.objects.filter(
        purchaseorder_id=OuterRef("order_id"), user_id=user.pk
    )
    by_hand = Q(suggestion__isnull=True, order__created_at__gt=since) & (
        Q(order__created_by=user) | Exists(wrote)
    )
    lines = (
        PurchaseOrderLine.objects.filter(order__supplier=supplier)
        # nothing is written into an order after its approval: older ones hold nothing newer
        .filter(Q(order__approved_at__isnull=True) | Q(order__approved_at__gt=since))
        .exclude(order__state=PurchaseOrder.State.CANCELLED)
        .filter(
            Exists(decided) | by_hand | Q(order__approved_by=user, order__approved_at__gt=since)
        )
    )
    if without is not None:
        lines = lines.exclude(order=without)
    rows = (
        lines.order_by()
        .values_list("order__currency")
        .annotate(value=Sum(F("quantity") * F("unit_cost"), output_field=MoneyField()))
    )
    return {currency: value for currency, value in rows if value}
