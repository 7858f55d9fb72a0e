"""What the shop says of the payment of an order. Granary takes no money."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from catalog.services.audit import audited
from inventory.exceptions import IdempotencyConflict, InvalidTransition
from inventory.models import CustomerOrder, CustomerOrderLine, PaymentReport
from inventory.services.customer_orders.common import CHANGE, keys_of, locked_order
from inventory.services.customer_orders.drafts import LONGEST, amount_is_sound
from inventory.services.ledger import lock_stock
from inventory.services.reservations import allocate_locked, is_secured, set_expiry
from inventory.services.retries import retried

P = CustomerOrder.Payment
State = CustomerOrder.State
# A second payment or refund with a reference of its own follows the first.
PAYMENT_TRANSITIONS: Mapping[str, frozenset[str]] = {
    P.PENDING: frozenset({P.AUTHORISED, P.ON_ACCOUNT, P.PAID}),
    P.AUTHORISED: frozenset({P.PENDING, P.ON_ACCOUNT, P.PAID}),
    P.ON_ACCOUNT: frozenset({P.PENDING, P.AUTHORISED, P.PAID}),
    P.PAID: frozenset({P.PAID, P.PART_REFUNDED, P.REFUNDED}),
    P.PART_REFUNDED: frozenset({P.PAID, P.PART_REFUNDED, P.REFUNDED}),
    P.REFUNDED: frozenset({P.PAID}),
}


@retried
@audited("customer_order.report_payment", row=CustomerOrder, pk="order_id")
@transaction.atomic
def report_payment(
    *,
    order_id: int,
    state: str,
    amount: Decimal,
    reference: str,
    at: datetime,
    recorded_at: datetime,
    by: Any,
) -> CustomerOrder:
    """Write down a payment, an authorisation or a refund of this amount; ``at`` = when it happened.

    With a promise of the money the stock is kept without an end, and what had run out is reserved again if
    it is there. The same state and reference again changes nothing.

    Raises:
        NotAllowed, InvalidTransition (a state that cannot follow).
        IdempotencyConflict: the reference is known with another amount.
        ValidationError: no amount, or more comes back than was paid.
    """
    if state not in P.values:
        raise ValidationError({"state": ValidationError(_("Unknown."), code="payment")})
    if not amount_is_sound(amount):
        raise ValidationError({"amount": ValidationError(_("This is no amount."), code="amount")})
    if len(reference) > LONGEST["payment_reference"] or not reference.isprintable():
        raise ValidationError(
            {
                "reference": ValidationError(
                    _("At most %(most)d characters."),
                    code="too_long",
                    params={"most": LONGEST["payment_reference"]},
                )
            }
        )
    order = locked_order(order_id, by=by, permission=CHANGE)
    known = order.payments.filter(state=state, reference=reference).first()
    if known is not None:
        if known.amount != amount:
            raise IdempotencyConflict(f"{order}: {state} {reference}".strip())
        return order
    if state not in PAYMENT_TRANSITIONS[order.payment]:
        raise InvalidTransition(current=order.payment, wanted=state)
    order.paid_amount = _paid_after(order, state, amount)
    PaymentReport.objects.create(
        order=order, state=state, amount=amount, reference=reference, at=at,
        recorded_at=recorded_at, by=by,
    )  # fmt: skip
    # reservations follow from the payment, so nobody may look at them while it changes
    lines = CustomerOrderLine.objects.filter(order=order)
    levels = lock_stock(keys=keys_of(line for line in lines if line.open_quantity))
    was_secured = is_secured(order)
    order.payment, order.payment_reference = state, reference
    if state == P.PAID:
        order.paid_at = order.paid_at or at
        order.state = State.PAID if order.state == State.PLACED else order.state
    order.version += 1
    order.save()
    if is_secured(order) != was_secured:
        set_expiry(order=order, at=recorded_at)
    allocate_locked(levels=levels, at=recorded_at)
    return order


def _paid_after(order: CustomerOrder, state: str, amount: Decimal) -> Decimal:
    if state == P.PAID:
        total: Decimal = order.paid_amount + amount
        if not amount_is_sound(total):
            raise ValidationError(
                {"amount": ValidationError(_("This is no amount."), code="amount")}
            )
        return total
    paid: Decimal = order.paid_amount
    if state not in (P.PART_REFUNDED, P.REFUNDED):
        return paid
    left = paid - amount
    if left < 0 or (left > 0 and state == P.REFUNDED):
        raise ValidationError(
            {
                "amount": ValidationError(
                    _("%(amount)s come back of %(paid)s paid; all of it is “refunded”."),
                    code="refund",
                    params={"amount": f"{amount:f}", "paid": f"{order.paid_amount:f}"},
                )
            }
        )
    return left
