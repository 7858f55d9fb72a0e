"""A caller that keeps its word in a file: what it asked for, and what was acknowledged.

    python client.py '{"journal": "…", "verb": "movement", "product": 1, "warehouse": 1, "name": "c0"}'

Each request has a key of its own. A request without an acknowledgement has an unknown outcome: when the
database is back, the caller asks again with the same key. Runs until it is killed, or, given ``keys``,
until it has asked for these.
"""

import itertools
import json
import os
import sys
import time
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.db import DatabaseError, InterfaceError, close_old_connections, connection  # noqa: E402

from inventory.services.customer_orders import (  # noqa: E402
    OrderDraft,
    OrderLineDraft,
    place_order,
    report_payment,
    ship_order,
)
from inventory.services.ledger import post_movement  # noqa: E402

PATIENCE_SECONDS = 60


def main():
    task = json.loads(sys.argv[1])
    act = {"movement": move, "order": order}[task["verb"]]
    # one write of a line below the pipe size arrives whole or not at all, also when this process is killed
    journal = os.open(task["journal"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for key in task.get("keys") or (f"{task['name']}-{number}" for number in itertools.count()):
        os.write(journal, f"ask {key}\n".encode())
        ask(act, task, key)
        os.write(journal, f"done {key}\n".encode())


def ask(act, task, key):
    """Until it is acknowledged: the connection may break in the middle of it."""
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return act(task, key)
        except (DatabaseError, InterfaceError):
            if time.monotonic() > until or not task.get("patient"):
                raise
            connection.close()
            close_old_connections()
            time.sleep(0.05)


def move(task, key):
    return post_movement(
        product_id=task["product"],
        warehouse_id=task["warehouse"],
        kind="sale",
        quantity=-1,
        at=datetime.now(UTC),
        idempotency_key=key,
    )


def order(task, key):
    """Place, pay and ship: three transactions; whatever was done already is not done again."""
    at = datetime.now(UTC)
    user = User.objects.get(username="shop")
    line = OrderLineDraft(1, task["product"], task["warehouse"], 1, Decimal("9.90"))
    # what was ordered has to be the same at the second asking, the time of ordering included
    draft = OrderDraft(
        channel="shop", order_ref=key, placed_at=datetime(2026, 11, 1, tzinfo=UTC), currency="EUR",
        lines=(line,),
    )  # fmt: skip
    placed = place_order(draft=draft, by=user, at=at).order
    report_payment(
        order_id=placed.pk, state="paid", amount=Decimal("9.90"), reference=key, at=at,
        recorded_at=at, by=user,
    )  # fmt: skip
    ship_order(order_id=placed.pk, quantities=None, idempotency_key=key, by=user, at=at)


if __name__ == "__main__":
    main()
