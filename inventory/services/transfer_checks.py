"""Whether transfers and the ledger tell the same story: nothing is lost on the road."""

from collections.abc import Iterator

from django.db.models import F, Q, Sum
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from inventory.models import StockMovement, TransferLine, TransferStep
from inventory.services.problems import LedgerProblem

LEGS = (StockMovement.Kind.TRANSFER_OUT, StockMovement.Kind.TRANSFER_IN)


def wrong_transfers() -> Iterator[LedgerProblem]:
    """Yield the lines of transfers whose figures are not what steps and movements add up to.

    A line's legs sum to −(in transit + given up); a movement of the kinds of a transfer belongs to a step of
    one, and is not reversed.
    """
    kinds = TransferStep.Kind
    steps = {
        kind: Coalesce(Sum("step_lines__quantity", filter=Q(step_lines__step__kind=kind)), 0)
        for kind in (kinds.SHIP, kinds.RECEIVE, kinds.LOSE)
    }
    legs = Coalesce(Sum("step_lines__movement__quantity"), 0)
    rows = TransferLine.objects.annotate(
        by_ship=steps[kinds.SHIP],
        by_receive=steps[kinds.RECEIVE],
        by_lose=steps[kinds.LOSE],
        legs=legs,
    )
    wrong = rows.exclude(
        by_ship=F("shipped_quantity"),
        by_receive=F("received_quantity"),
        by_lose=F("lost_quantity"),
        legs=F("received_quantity") - F("shipped_quantity"),
    )
    for line in wrong.select_related("transfer", "product").order_by("pk"):
        yield LedgerProblem(
            f"transfer {line.transfer.number} {line.product.sku}",
            "transfer_sum",
            _(
                "shipped %(shipped)d, received %(received)d, given up %(lost)d; its steps say %(by_ship)d,"
                " %(by_receive)d and %(by_lose)d, its movements add up to %(legs)d"
            )
            % {
                "shipped": line.shipped_quantity,
                "received": line.received_quantity,
                "lost": line.lost_quantity,
                "by_ship": line.by_ship,
                "by_receive": line.by_receive,
                "by_lose": line.by_lose,
                "legs": line.legs,
            },
        )
    stray = StockMovement.objects.filter(kind__in=LEGS, transfer_step_line__isnull=True)
    for pk, reverses_id in stray.order_by("pk").values_list("pk", "reverses_id"):
        words = (
            _("is the leg of no transfer")
            if reverses_id is None
            else _("reverses a leg of a transfer, which then no longer adds up")
        )
        yield LedgerProblem(f"movement {pk}", "transfer_leg", words)
