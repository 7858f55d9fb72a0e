"""The sellable shelf of a channel, read once a minute per process; sales counts every ten minutes.

Only the choice of candidates leans on it. What is shown is checked again against the stock of that moment.
"""

import threading
import time
from datetime import date

import numpy as np
from numpy.typing import NDArray

from recommendations.selectors.shelf import SalesCounts, Shelf, read_shelf, sales_counts
from recommendations.services.model_store import LiveModel

SHELF_SECONDS = 60.0
COUNTS_SECONDS = 600.0
MAX_CHANNELS = 16


class ShelfCache:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._shelves: dict[str, tuple[float, Shelf]] = {}
        self._counts: tuple[float, date, SalesCounts] | None = None
        self._masks: dict[tuple[str, str], tuple[Shelf, NDArray[np.bool_]]] = {}

    def shelf(self, *, channel: str, today: date) -> Shelf:
        """Return the shelf of a channel, at most a minute old; one thread renews it, others use the old one."""
        held = self._shelves.get(channel)
        if held is not None and time.monotonic() - held[0] < SHELF_SECONDS:
            return held[1]
        if not self._lock.acquire(blocking=held is None):
            assert held is not None
            return held[1]
        try:
            held = self._shelves.get(channel)
            if held is None or time.monotonic() - held[0] >= SHELF_SECONDS:
                shelf = read_shelf(channel=channel, today=today, counts=self._fresh_counts(today))
                if len(self._shelves) >= MAX_CHANNELS:
                    self._shelves.clear()
                held = (time.monotonic(), shelf)
                self._shelves[channel] = held
            return held[1]
        finally:
            self._lock.release()

    def mask(self, *, model: LiveModel, shelf: Shelf, channel: str) -> NDArray[np.bool_]:
        """Return bool[I] over the model's items: on this shelf."""
        key = (model.version, channel)
        held = self._masks.get(key)
        if held is None or held[0] is not shelf:
            if len(self._masks) >= MAX_CHANNELS:
                self._masks.clear()
            mask = model.recommender.catalogue.mask(shelf.skus)
            assert mask is not None
            held = (shelf, mask)
            self._masks[key] = held
        return held[1]

    def forget(self) -> None:
        """Read everything anew at the next request."""
        with self._lock:
            self._shelves.clear()
            self._masks.clear()
            self._counts = None

    def _fresh_counts(self, today: date) -> SalesCounts:
        held = self._counts
        if held is None or held[1] != today or time.monotonic() - held[0] >= COUNTS_SECONDS:
            held = (time.monotonic(), today, sales_counts(today=today))
            self._counts = held
        return held[2]


shelf_cache = ShelfCache()
