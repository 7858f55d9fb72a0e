"""Pages are asked as a browser asks them: through the client, as a person with a role."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.test import Client

from inventory.services.ledger import post_movement
from inventory.services.purchasing import send_order, submit_order
from inventory.services.suggestions import approve_suggestion, propose_orders
from tests.factories import ProductFactory, SupplierProductFactory

FIRST = date(2026, 11, 23)


@pytest.fixture
def as_user():
    """A client that is logged in as the given user."""

    def log_in(user):
        client = Client()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return log_in


@pytest.fixture
def rationale():
    """What a run writes beside 72 mugs: every part that the page draws."""
    stock = {"p10": [20] * 14, "p50": [30] * 14, "p90": [40] * 14}
    return {
        "schema": 1,
        "cutoff": "2026-11-22",
        "currency": "EUR",
        "model": {"name": "lstm", "reason": "least scaled pinball loss"},
        "policy": {"method": "q_learning", "reason": "cheaper in replay"},
        "inputs": {"on_hand": 30, "lead_time_days": 12, "lead_time_assumed": True},
        "waterfall": [
            {"code": "demand_protection", "value": 96},
            {"code": "safety_stock", "value": 20},
            {"code": "on_hand", "value": -30},
            {"code": "on_order", "value": -24},
            {"code": "policy", "value": 3},
            {"code": "order_multiple", "value": 7},
        ],
        "quantity": 72,
        "demand": {
            "history_from": "2026-10-24",
            "history": [4] * 30,
            "stocked_out": [0] * 28 + [1, 1],
            "forecast_from": FIRST.isoformat(),
            "mean": [4.0] * 14,
            "quantiles": {"0.05": [1.0] * 14, "0.5": [4.0] * 14, "0.95": [9.0] * 14},
            "grain": "D",
        },
        "projection": {
            "from": FIRST.isoformat(), "without_order": stock, "with_order": stock,
            "arrives_on": "2026-12-05", "incoming": [], "reorder_point": 60, "order_up_to": 118,
        },
        "answers": [
            {"name": "classical", "method": "base_stock", "quantity": 64, "expected_cost": 1.2,
             "stockout_probability": 0.06, "expected_lost_units": 0.8},
            {"name": "learned", "method": "q_learning", "quantity": 72, "expected_cost": 1.1,
             "stockout_probability": 0.05, "expected_lost_units": 0.6},
            {"name": "nothing", "quantity": 0, "expected_cost": 40.0,
             "stockout_probability": 0.99, "expected_lost_units": 60.0},
        ],
        "chosen": "learned",
        "confidence": ["104 weeks of history"],
    }  # fmt: skip


@pytest.fixture
def propose_many(proposal, supplier, noon, rationale):
    """Propose `count` orders for products of their own; returns nothing."""

    def propose(count, first=0):
        proposals = []
        for number in range(first, first + count):
            product = ProductFactory(sku=f"LAMP-{number:03d}")
            SupplierProductFactory(product=product, supplier=supplier)
            proposals.append(
                replace(
                    proposal,
                    product_id=product.pk,
                    rationale=rationale,
                    expected_lost_margin=Decimal(100 + number),
                    order_by=FIRST + timedelta(days=number % 9),
                )
            )
        covered = [(one.product_id, one.warehouse_id) for one in proposals]
        propose_orders(proposals=proposals, run_id=None, at=noon, covered=covered)

    return propose


@pytest.fixture
def sent_order(propose, alice, carol, noon):
    """72 mugs, approved and on their way."""
    row = approve_suggestion(suggestion_id=propose().pk, by=alice, at=noon, version=1)
    order = row.order_line.order
    submit_order(order_id=order.pk, by=carol, at=noon)
    return send_order(order_id=order.pk, by=carol, at=noon)


@pytest.fixture
def stocked(product, warehouse, noon):
    """30 mugs in the main warehouse."""
    post_movement(
        product_id=product.pk, warehouse_id=warehouse.pk, kind="opening", quantity=30, at=noon,
        idempotency_key="opening", document="opening count",
    )  # fmt: skip
    return product
