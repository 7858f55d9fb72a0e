"""Purchase orders to start from: a draft, one by hand, one sent."""

import pytest

from inventory.services import purchasing
from inventory.services.purchasing import ManualLine
from inventory.services.suggestions import approve_suggestion


@pytest.fixture
def draft(propose, alice, noon):
    """A draft with 72 mugs that Alice decided."""
    row = approve_suggestion(suggestion_id=propose().pk, by=alice, at=noon, version=1)
    return row.order_line.order


@pytest.fixture
def write(supplier, warehouse, product, carol, noon):
    """Carol writes an order by hand."""

    def write(*lines, by=carol, **more):
        rows = lines or (ManualLine(product.pk, 24),)
        return purchasing.create_manual_order(
            supplier=supplier, warehouse=warehouse, lines=rows, by=by, at=noon, **more
        )

    return write


@pytest.fixture
def sent(draft, carol, noon):
    purchasing.submit_order(order_id=draft.pk, by=carol, at=noon)
    return purchasing.send_order(order_id=draft.pk, by=carol, at=noon)
