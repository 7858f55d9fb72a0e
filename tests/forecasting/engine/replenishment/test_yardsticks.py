"""Instances whose optima were computed elsewhere, where the file with them lies beside the repository."""

import json
from pathlib import Path

import pytest

from benchmarks.policies import evaluate

YARDSTICK = Path(__file__).resolve().parents[5] / "shared" / "yardsticks" / "inventory_optima.json"

pytestmark = [
    pytest.mark.ml,
    pytest.mark.skipif(
        not YARDSTICK.is_file(), reason="needs ../shared/yardsticks/inventory_optima.json"
    ),
]


def gaps(chosen):
    instances = json.loads(YARDSTICK.read_text())["instances"]
    return {i["name"]: evaluate(i, "q_learning", 0)["gap_pct"] for i in instances if chosen(i)}


def test_poisson_lost_sales_are_within_a_third_of_a_percent():
    found = gaps(
        lambda i: i["name"].startswith("LS-POIS5-p") and not i["K"] and i["pack_size"] == 1
    )
    assert len(found) == 16
    assert max(found.values()) <= 0.3, found
    assert sum(found.values()) / 16 <= 0.1


@pytest.mark.slow
def test_every_instance_is_within_a_third_of_a_percent():
    found = gaps(lambda i: True)
    assert len(found) == 77
    assert min(found.values()) > -0.01, "cheaper than the optimum: the evaluation is wrong"
    assert max(found.values()) <= 0.3, found
