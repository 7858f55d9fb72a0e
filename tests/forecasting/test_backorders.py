"""Pieces that customers wait for are netted once: in the need, in the projection, in what comes."""

from datetime import date
from types import SimpleNamespace

import numpy as np
import pytest

from forecasting.engine.replenishment.order_arithmetic import quantity_waterfall
from forecasting.services.rationale import project
from inventory.selectors.stock import Incoming, StockPosition

TODAY = date(2026, 11, 23)


def coming(quantity, day, state="sent"):
    return Incoming(quantity, date(2026, 11, day), "PO", state, is_late=False)


def position(**values):
    incoming = values.pop("incoming", [])
    waits = sum(item.quantity for item in incoming if item.state == "draft")
    return StockPosition(
        1, 1, on_order=sum(item.quantity for item in incoming) - waits, in_approval=waits,
        incoming=incoming, **values,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("before", "available", "on_order", "in_approval", "uncovered"),
    [
        (position(on_hand=9, reserved=4), 5, 0, 0, 0),
        (position(on_hand=9, reserved=9, backordered=3), 0, 0, 0, 3),
        (position(on_hand=9, reserved=4, backordered=3), 2, 0, 0, 0),
        (position(on_hand=4, reserved=4, backordered=3, incoming=[coming(5, 30)]), 0, 2, 0, 0),
        (
            position(
                on_hand=4, reserved=4, backordered=8,
                incoming=[coming(5, 25), coming(2, 26, "draft"), coming(6, 30)],
            ),
            0, 5, 0, 0,
        ),
        (position(backordered=8, incoming=[coming(5, 25)]), 0, 0, 0, 3),
    ],
)  # fmt: skip
def test_who_waits_takes_free_stock_and_then_what_comes_first(
    before, available, on_order, in_approval, uncovered
):
    net = before.net
    assert (net.available, net.on_order, net.in_approval, net.backordered) == (
        available,
        on_order,
        in_approval,
        uncovered,
    )
    assert net.inventory_position == before.inventory_position
    assert net.net == net


def test_the_waterfall_adds_up_to_the_quantity():
    steps = quantity_waterfall(
        expected_demand=20, order_up_to=30, available=0, on_order=4, in_approval=0, backordered=7,
        rounding=[("order_multiple", 3)], quantity=36,
    )  # fmt: skip
    assert sum(step["value"] for step in steps) == 36
    assert {step["code"]: step["value"] for step in steps}["backordered"] == 7


def test_the_projection_keeps_nothing_back_for_pieces_that_are_sold():
    days = 10
    ahead = SimpleNamespace(curve=lambda _level: np.zeros(days))
    facts = SimpleNamespace(
        position=position(on_hand=5, reserved=5, backordered=6, incoming=[coming(4, 25)]),
        conditions=SimpleNamespace(
            lead_days=lambda _today: 5, arrives_on=date(2026, 11, 28), review_days=1
        ),
    )
    found = project(facts, ahead, today=TODAY, quantity=10)
    assert found["without_order"]["p50"] == [0.0] * days
    assert found["with_order"]["p50"] == [0.0] * 5 + [8.0] * 5  # 10 come, 2 of them are sold
