"""The sweep of every few minutes: what ran out ends, what is free goes to those who wait."""

from datetime import timedelta

import pytest

from catalog.models import Run
from catalog.runs import routine_kinds, schedules
from catalog.services import run_execution, runs
from inventory.models import Reservation, StockLevel
from inventory.services.ledger import post_movement
from tests.inventory.customer_orders.figures import held, level

pytestmark = pytest.mark.django_db


def sweep(at):
    run = runs.enqueue_run(kind="orders.sweep", at=at)
    return run_execution.execute(run_id=run.pk, clock=lambda: at)


def test_the_sweep_comes_every_five_minutes():
    (schedule,) = [one for one in schedules() if one.kind == "orders.sweep"]
    assert (schedule.every_minutes, "orders.sweep" in routine_kinds()) == (5, True)


def test_it_ends_what_ran_out_and_serves_who_waits(place, stocked, noon, product, warehouse):
    unpaid = [place(2, ref=f"U-{n}", payment="pending").order for n in (1, 2)]
    waiting = place(7, ref="W", allow_backorder=True).order
    assert (held(*unpaid, waiting), level()) == ([2, 2, 1], (5, 5))

    early = sweep(noon + timedelta(hours=47))
    assert (early.state, early.result) == (Run.State.SUCCEEDED, {"expired": 0, "allocated": 0})

    late = sweep(noon + timedelta(hours=48))
    assert late.result["expired"] == 2
    assert held(*unpaid, waiting) == [0, 0, 5]

    post_movement(
        product_id=product.pk, warehouse_id=warehouse.pk, kind="count", quantity=3, at=noon,
        idempotency_key="c",
    )  # fmt: skip
    assert sweep(noon + timedelta(hours=49)).result == {"expired": 0, "allocated": 2}
    assert level() == (8, 7)
    assert sweep(noon + timedelta(hours=50)).result == {"expired": 0, "allocated": 0}
    active = Reservation.objects.filter(state="active").values_list("quantity", flat=True)
    assert sum(active) == StockLevel.objects.get().reserved
