"""Runs in a process of its own: a filled database of the previous release goes forward, back, forward.

Prints one line of JSON: what each step found. The previous release is named by its last migrations.
"""

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

import django  # noqa: E402

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.db.migrations.executor import MigrationExecutor  # noqa: E402

from catalog.guards import missing_guards  # noqa: E402

RELEASE_0_1 = {"catalog": "0004_install_guards", "inventory": "0004_staged_stock_facts"}
AT = datetime(2026, 11, 17, 12, tzinfo=UTC)  # a Tuesday
PRODUCTS = 40


def main():
    go_to(RELEASE_0_1)
    fill(state_of(RELEASE_0_1))
    before = facts(state_of(RELEASE_0_1))
    found = {"before": before}
    call_command("migrate", verbosity=0)
    found["forward"] = {**facts(), **health()}
    go_to(RELEASE_0_1)
    found["back"] = facts(state_of(RELEASE_0_1))
    call_command("migrate", verbosity=0)
    found["again"] = {**facts(), **health()}
    print(json.dumps(found))


def go_to(targets):
    """The other apps stay at their newest migrations that these targets allow."""
    executor = MigrationExecutor(connection)
    if not executor.loader.applied_migrations:
        leaves = [
            key for key in executor.loader.graph.leaf_nodes() if key[0] not in targets
        ]
        executor.migrate([*leaves, *targets.items()])
        executor = MigrationExecutor(connection)
    executor.migrate(list(targets.items()))


def state_of(targets):
    executor = MigrationExecutor(connection)
    return executor.loader.project_state(list(targets.items())).apps


def fill(apps):
    """Rows as the previous release wrote them, of every table that has changed since."""

    def model(name):
        return apps.get_model(*name.split("."))

    user = model("auth.User").objects.create(username="paula")
    supplier = model("catalog.Supplier").objects.create(code="ACME", name="Acme")
    warehouse = model("inventory.Warehouse").objects.create(
        code="MAIN", name="Main", ledger_start=AT
    )
    products = model("catalog.Product").objects.bulk_create(
        [model("catalog.Product")(sku=f"P-{n}", name=f"P {n}", unit_cost=3) for n in range(PRODUCTS)]
    )
    model("catalog.SupplierProduct").objects.bulk_create(
        [
            model("catalog.SupplierProduct")(
                supplier=supplier, product=product, lead_time_days=9, unit_cost=3
            )
            for product in products
        ]
    )
    movement = model("inventory.StockMovement")
    movement.objects.bulk_create(
        [
            movement(
                product=product, warehouse=warehouse, kind="opening", quantity=n + 1,
                balance_after=n + 1, at=AT, recorded_at=AT, idempotency_key=f"o-{n}",
            )
            for n, product in enumerate(products)
        ]
    )  # fmt: skip
    model("inventory.StockLevel").objects.bulk_create(
        [
            model("inventory.StockLevel")(product=product, warehouse=warehouse, on_hand=n + 1)
            for n, product in enumerate(products)
        ]
    )
    orders = model("inventory.PurchaseOrder")
    approved = {"approved_by": user, "approved_at": AT}
    for number, (state, more) in enumerate(
        [("draft", {}), ("sent", approved), ("received", approved), ("closed_short", approved)]
    ):
        order = orders.objects.create(
            number=f"PO-{number}", supplier=supplier, warehouse=warehouse, currency="EUR",
            state=state, created_at=AT, created_by=user, **more,
        )  # fmt: skip
        model("inventory.PurchaseOrderLine").objects.create(
            order=order, product=products[number], quantity=12, unit_cost=3
        )
    reason = model("inventory.ReasonCode").objects.create(code="other", label="Other")
    suggestion = model("inventory.Suggestion").objects.create(
        product=products[0], warehouse=warehouse, supplier=supplier, urgency="today",
        confidence="high", suggested_quantity=12, unit_cost=3, currency="EUR",
        order_by=AT.date(), expected_on=AT.date(), origin="test", created_at=AT, state="rejected",
        decided_by=user, decided_at=AT,
    )  # fmt: skip
    model("inventory.Decision").objects.create(
        suggestion=suggestion, action="reject", suggested_quantity=12, reason=reason, by=user, at=AT
    )


def facts(apps=None):
    """What must be the same whatever the schema: counts, sums, states."""
    from django.apps import apps as current

    find = (apps or current).get_model
    from django.db.models import Sum

    movements = find("inventory", "StockMovement").objects
    levels = find("inventory", "StockLevel").objects
    orders = find("inventory", "PurchaseOrder").objects.order_by("number")
    return {
        "movements": movements.count(),
        "on_hand": levels.aggregate(total=Sum("on_hand"))["total"],
        "in_the_ledger": movements.aggregate(total=Sum("quantity"))["total"],
        "orders": dict(orders.values_list("number", "state")),
        "lines": find("inventory", "PurchaseOrderLine").objects.count(),
        "costs": str(
            find("catalog", "SupplierProduct").objects.order_by().first().unit_cost.normalize()
        ),
        "decisions": find("inventory", "Decision").objects.count(),
    }


def health():
    from inventory.models import PurchaseOrder
    from inventory.services.verification import verify_ledger

    return {
        "missing_guards": missing_guards(connection),
        "ledger_problems": [problem.row for problem in verify_ledger()],
        "weeks": sorted({str(day) for day in PurchaseOrder.objects.values_list("week", flat=True)}),
    }


if __name__ == "__main__":
    main()
