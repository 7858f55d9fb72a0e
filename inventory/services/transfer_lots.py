"""Lots travel with their goods: what arrives belongs to the lots that were sent."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date

from django.core.exceptions import ValidationError
from django.db.models import Sum
from django.utils.translation import gettext as _

from inventory.models import Lot, LotEntry, TransferLine
from inventory.services.lots import first_shares
from inventory.services.movement_drafts import LotShare


def arriving_lots(
    lines: Mapping[int, TransferLine],
    arrived: Mapping[int, int],
    named: Mapping[int, Sequence[LotShare]],
) -> dict[int, tuple[LotShare, ...]]:
    """Return for each arriving line the lots of its pieces: those named, else the first to expire.

    Raises:
        ValidationError: a lot of which fewer pieces are on the road.
    """
    tracked = [line_id for line_id in arrived if lines[line_id].product.tracks_lots]
    on_the_road = lots_in_transit(tracked)
    shares: dict[int, tuple[LotShare, ...]] = {}
    for line_id in tracked:
        travelling = on_the_road.get(line_id, ())
        if named.get(line_id):
            _check_named(line_id, named[line_id], travelling)
            shares[line_id] = tuple(named[line_id])
        else:
            shares[line_id] = first_shares(travelling, arrived[line_id])
    return shares


def lots_in_transit(line_ids: Sequence[int]) -> dict[int, tuple[LotShare, ...]]:
    """Return for each transfer line the lots still on the road, those that expire first in front."""
    sums: dict[int, dict[int, int]] = defaultdict(dict)
    entries = LotEntry.objects.filter(movement__transfer_step_line__line__in=line_ids).order_by()
    for line_id, lot_id, pieces in entries.values_list(
        "movement__transfer_step_line__line", "lot"
    ).annotate(pieces=Sum("quantity")):
        # what left is negative in the ledger, what arrived positive
        sums[line_id][lot_id] = -pieces
    lots = Lot.objects.in_bulk({lot_id for found in sums.values() for lot_id in found})
    return {
        line_id: tuple(
            LotShare(lots[lot_id].code, found[lot_id], lots[lot_id].expires_on)
            for lot_id in sorted(found, key=lambda pk: (lots[pk].expires_on or date.max, pk))
            if found[lot_id] > 0
        )
        for line_id, found in sums.items()
    }


def _check_named(line_id: int, named: Sequence[LotShare], travelling: Sequence[LotShare]) -> None:
    sent = {share.lot_code: share.quantity for share in travelling}
    for share in named:
        # goods that were sent before the product was kept by lot get their lot on arrival
        if travelling and share.quantity > sent.get(share.lot_code, 0):
            raise ValidationError(
                {
                    f"line_{line_id}": ValidationError(
                        _("Of lot “%(lot)s” %(pieces)d pieces are on the road, not %(wanted)d."),
                        code="lot_not_sent",
                        params={
                            "lot": share.lot_code[:60],
                            "pieces": sent.get(share.lot_code, 0),
                            "wanted": share.quantity,
                        },
                    )
                }
            )
