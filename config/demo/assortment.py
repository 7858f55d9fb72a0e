"""Who sells what in the demo company: categories, suppliers, products, customers' tastes."""

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CATEGORIES: dict[str, tuple[str, float, int, float]] = {
    # code: name, amplitude of the season, day of the year of its peak, mean price
    "COFFEE": ("Coffee and tea", 0.15, 350, 9.0),
    "KITCHEN": ("Kitchen", 0.20, 340, 18.0),
    "BATH": ("Bath", 0.10, 20, 12.0),
    "GARDEN": ("Garden", 0.85, 135, 22.0),
    "TOYS": ("Toys", 0.55, 345, 16.0),
    "PAPER": ("Stationery", 0.35, 240, 5.0),
    "CANDLES": ("Candles", 0.60, 335, 8.0),
    "TEXTILES": ("Home textiles", 0.25, 10, 27.0),
    "PANTRY": ("Pantry", 0.10, 350, 6.0),
    "PETS": ("Pets", 0.05, 100, 14.0),
}
SUPPLIERS: list[tuple[str, str, int, float, int, list[int], str]] = [
    # code, name, lead time, its deviation, review period, order weekdays, minimum order value
    ("NORDHOLZ", "Nordholz Handel", 6, 1.0, 7, [0, 1, 2, 3, 4], "150"),
    ("ALPINA", "Alpina Imports", 10, 2.0, 7, [0, 2], "250"),
    ("LOTUS", "Lotus Trading", 24, 4.0, 7, [], "900"),
    ("VERDE", "Verde & Figli", 14, 3.0, 7, [1, 3], "300"),
    ("HARBOUR", "Harbour Wholesale", 4, 0.8, 7, [], "100"),
    ("KAOLIN", "Kaolin Ceramics", 20, 3.0, 7, [0], "500"),
]
ADJECTIVES = (
    "Amber",
    "Birch",
    "Coral",
    "Dune",
    "Ember",
    "Fern",
    "Glacier",
    "Hazel",
    "Indigo",
    "Juniper",
    "Kelp",
    "Linen",
    "Moss",
    "Nutmeg",
    "Ochre",
    "Pebble",
    "Quartz",
    "Rowan",
    "Slate",
    "Thistle",
)
NOUNS: dict[str, tuple[str, ...]] = {
    "COFFEE": ("espresso beans", "filter coffee", "green tea", "chai blend", "cold brew"),
    "KITCHEN": ("mixing bowl", "pan", "knife", "storage jar", "apron"),
    "BATH": ("soap", "bath salts", "towel", "brush", "shampoo bar"),
    "GARDEN": ("seed set", "trowel", "planter", "watering can", "string lights"),
    "TOYS": ("puzzle", "building blocks", "soft bear", "card game", "kite"),
    "PAPER": ("notebook", "pen set", "calendar", "gift wrap", "stickers"),
    "CANDLES": ("pillar candle", "tea lights", "scented candle", "lantern", "wax melts"),
    "TEXTILES": ("throw", "cushion", "curtain", "table runner", "bed linen"),
    "PANTRY": ("honey", "olive oil", "granola", "jam", "spice mix"),
    "PETS": ("dog bowl", "cat toy", "leash", "blanket", "treats"),
}
BRANDS = ("Morgenrot", "Field & Fold", "Hearth", "Lumen", "Oakline")
TASTES = 12


@dataclass(frozen=True)
class Assortment:
    """Products as columns; all arrays have one entry per product."""

    sku: list[str]
    name: list[str]
    category: list[str]
    brand: list[str]
    supplier: list[str]
    price: Floats
    cost: Floats
    level: Floats
    taste: NDArray[np.int64]
    is_intermittent: NDArray[np.bool_]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    order_multiple: NDArray[np.int64]
    min_order_quantity: NDArray[np.int64]


def make_assortment(*, seed: int, products: int, days: int) -> Assortment:
    """Return the products; `starts` and `ends` are day numbers of new and dying ones (0 and `days` else)."""
    rng = np.random.default_rng([seed, 1])
    codes = list(CATEGORIES)
    category = [codes[i % len(codes)] for i in range(products)]
    nouns = [NOUNS[c][(i // len(codes)) % 5] for i, c in enumerate(category)]
    adjectives = [ADJECTIVES[(i // (len(codes) * 5)) % len(ADJECTIVES)] for i in range(products)]
    price = np.array([CATEGORIES[c][3] for c in category]) * rng.lognormal(0, 0.45, products)
    price = np.maximum(np.round(price * 10) / 10 - 0.01, 0.99)
    level = rng.lognormal(-0.1, 0.95, products)
    intermittent = rng.random(products) < 0.15
    level[intermittent] = rng.uniform(0.04, 0.25, int(intermittent.sum()))
    starts = np.zeros(products, dtype=np.int64)
    ends = np.full(products, days, dtype=np.int64)
    newcomers = rng.choice(products, products // 10, replace=False)
    starts[newcomers] = rng.integers(days - 200, days - 20, len(newcomers))
    others = np.setdiff1d(np.arange(products), newcomers)
    leavers = rng.choice(others, products // 14, replace=False)
    ends[leavers] = rng.integers(days - 250, days - 30, len(leavers))
    pack = rng.choice([1, 6, 12, 24], products, p=[0.35, 0.30, 0.25, 0.10])
    return Assortment(
        sku=[f"{c[:3]}-{1001 + i}" for i, c in enumerate(category)],
        name=[f"{a} {n}" for a, n in zip(adjectives, nouns, strict=True)],
        category=category,
        brand=[BRANDS[int(i)] for i in rng.integers(0, len(BRANDS), products)],
        supplier=[SUPPLIERS[int(i)][0] for i in rng.integers(0, len(SUPPLIERS), products)],
        price=price,
        cost=np.round(price * rng.uniform(0.38, 0.62, products), 2),
        level=level,
        taste=rng.integers(0, TASTES, products),
        is_intermittent=intermittent,
        starts=starts,
        ends=ends,
        order_multiple=pack,
        min_order_quantity=pack * rng.choice([1, 2, 4], products, p=[0.6, 0.3, 0.1]),
    )


def season(category: str, days: list[date]) -> Floats:
    """Factor of the time of the year, mean 1."""
    _name, amplitude, peak, _price = CATEGORIES[category]
    day = np.array([d.timetuple().tm_yday for d in days])
    wave = np.exp(3 * (np.cos(2 * np.pi * (day - peak) / 365.25) - 1))
    return np.asarray((1 - amplitude) + amplitude * wave / 0.31)
