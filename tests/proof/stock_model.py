"""What stock is, in plain Python: no database, no locks, no rounding. The oracle of the state machine."""

from collections import defaultdict
from dataclasses import dataclass, field


@dataclass
class Wanted:
    """Pieces of one product from one warehouse that one order asks for."""

    quantity: int
    reserved: int = 0
    shipped: int = 0
    cancelled: int = 0
    returned: int = 0

    @property
    def open(self):
        return self.quantity - self.shipped - self.cancelled

    @property
    def waiting(self):
        return self.open - self.reserved


@dataclass
class Order:
    number: int
    wanted: dict  # (product, warehouse) → Wanted
    paid: bool = False

    @property
    def is_cancelled(self):
        return not any(one.open or one.shipped for one in self.wanted.values())


@dataclass
class Transfer:
    source: int
    destination: int
    quantities: dict  # product → pieces asked for
    shipped: dict = field(default_factory=dict)
    received: dict = field(default_factory=lambda: defaultdict(int))
    lost: dict = field(default_factory=lambda: defaultdict(int))

    def on_the_road(self, product):
        return self.shipped.get(product, 0) - self.received[product] - self.lost[product]


class StockModel:
    """Balances, orders in the order they were placed, transfers, purchase orders on their way."""

    def __init__(self):
        self.on_hand = defaultdict(int)
        self.orders = []
        self.transfers = {}
        self.purchases = {}  # number → {(product, warehouse): outstanding pieces}

    def reserved(self, key):
        return sum(order.wanted[key].reserved for order in self.orders if key in order.wanted)

    def free(self, key):
        return self.on_hand[key] - self.reserved(key)

    def can_go(self, key, pieces):
        return pieces <= self.free(key)

    def come_in(self, key, pieces):
        self.on_hand[key] += pieces
        self.hand_out(key)

    def hand_out(self, key):
        """Free pieces go to those who wait, the oldest order first."""
        for order in self.orders:
            if key in order.wanted:
                given = min(self.free(key), order.wanted[key].waiting)
                order.wanted[key].reserved += max(given, 0)

    # --- orders ---------------------------------------------------------------------------------
    def place(self, order):
        self.orders.append(order)
        for key in order.wanted:
            self.hand_out(key)

    def would_be_complete(self, wanted):
        """Whether an order of these pieces could be had now, after everybody who waits."""
        for key, pieces in wanted.items():
            before = sum(o.wanted[key].waiting for o in self.orders if key in o.wanted)
            if self.free(key) - before < pieces:
                return False
        return True

    def ship(self, order, key, pieces):
        one = order.wanted[key]
        one.reserved -= pieces  # only what is reserved can be shipped
        one.shipped += pieces
        self.on_hand[key] -= pieces

    def cancel(self, order, key, pieces):
        one = order.wanted[key]
        one.reserved -= max(pieces - one.waiting, 0)
        one.cancelled += pieces
        self.hand_out(key)

    def take_back(self, order, key, pieces, restock):
        order.wanted[key].returned += pieces
        if restock:
            self.come_in(key, pieces)

    # --- counting -------------------------------------------------------------------------------
    def count(self, key, found):
        self.on_hand[key] = found
        excess = self.reserved(key) - found
        for order in reversed(self.orders):
            if key in order.wanted and excess > 0:
                cut = min(order.wanted[key].reserved, excess)
                order.wanted[key].reserved -= cut
                excess -= cut
        self.hand_out(key)

    # --- what must always hold --------------------------------------------------------------------
    def pieces(self):
        """Everything that the company owns: on shelves and on the road."""
        road = sum(
            transfer.on_the_road(product)
            for transfer in self.transfers.values()
            for product in transfer.quantities
        )
        return sum(self.on_hand.values()) + road
