"""What tests of counts share: people who count, and sheets that are filled in."""

from datetime import timedelta

from inventory.models import StockLevel
from inventory.services.counts import create_count_sheet, enter_count
from inventory.services.ledger import post_movement
from inventory.services.verification import verify_ledger


class Shelf:
    """Stock of one warehouse: ``shelf.move(product, -3)`` posts, ``shelf.on_hand(product)`` looks."""

    def __init__(self, warehouse, at):
        self.warehouse, self.at, self.number = warehouse, at, 0

    def move(self, product, quantity, *, kind=None, at=None, **more):
        self.number += 1
        return post_movement(
            product_id=product.pk,
            warehouse_id=self.warehouse.pk,
            kind=kind or ("receipt" if quantity > 0 else "issue"),
            quantity=quantity,
            at=at or self.at,
            idempotency_key=f"shelf:{self.number}",
            **more,
        )

    def on_hand(self, product):
        return StockLevel.objects.get(product=product, warehouse=self.warehouse).on_hand

    def is_sound(self):
        return verify_ledger() == []


def make_sheet(warehouse, by, at, *products, key="sheet", **more):
    if products:
        more["product_ids"] = [product.pk for product in products]
    return create_count_sheet(warehouse_id=warehouse.pk, by=by, at=at, idempotency_key=key, **more)


def enter(count, by, at, figures, **more):
    """``figures``: product → units."""
    entries = {product.pk: quantity for product, quantity in figures.items()}
    return enter_count(count_id=count.pk, entries=entries, by=by, at=at, **more)


def minutes(at, number):
    return at + timedelta(minutes=number)
