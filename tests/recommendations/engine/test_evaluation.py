"""The yardstick itself, on numbers worked out by hand."""

import math

import numpy as np
import pandas as pd
import pytest

from recommendations.engine import registry
from recommendations.engine.evaluation import (
    MEASURES,
    Case,
    evaluate,
    next_basket_split,
    novel_cases,
)

pytestmark = pytest.mark.ml


def frame(rows: list[tuple[str, str, str]]) -> pd.DataFrame:
    events = pd.DataFrame(rows, columns=["user", "item", "at"])
    return events.assign(kind="purchase", at=pd.to_datetime(events["at"], utc=True))


def popularity_of(counts: dict[str, int]):
    rows = [(f"u{n}", item, "2026-01-01") for item, count in counts.items() for n in range(count)]
    return registry.build("popularity").fit(frame(rows))


def case(targets: list[str], history: tuple[str, ...] = ()) -> Case:
    n = len(history)
    return Case(
        "u",
        np.array(history, dtype="U2"),
        np.array(["purchase"] * n),
        np.ones(n),
        np.array(targets),
    )


def test_measures_by_hand():
    model = popularity_of({"a": 5, "b": 4, "c": 3, "d": 2, "e": 1})
    scores = evaluate(model, [case(["b", "d"])], "all")
    gain = 1 / math.log2(3) + 1 / math.log2(5)
    ideal = 1 + 1 / math.log2(3)
    assert scores.means["ndcg@10"] == pytest.approx(gain / ideal)
    assert scores.means["recall@20"] == 1
    assert scores.means["hr@5"] == 1
    assert scores.means["mrr@20"] == 0.5
    assert scores.coverage == 1


def test_a_miss_scores_nothing():
    model = popularity_of({"a": 2, "b": 1})
    scores = evaluate(model, [case(["z"])], "all")
    assert set(scores.means.values()) == {0.0}


def test_novel_takes_the_history_out_of_ranking_and_target():
    model = popularity_of({"a": 3, "b": 2, "c": 1})
    cases = [case(["a", "c"], history=("a",)), case(["a"], history=("a",))]
    assert [one.targets.tolist() for one in novel_cases(cases)] == [["c"]]
    scores = evaluate(model, cases, "novel")
    assert scores.n_cases == 1
    assert scores.means["mrr@20"] == 0.5  # b before c; a is out


def test_standard_error_and_paired_difference():
    model = popularity_of({"a": 3, "b": 2})
    scores = evaluate(model, [case(["a"]), case(["b"])], "all")
    column = MEASURES.index("mrr@20")
    assert scores.per_case[:, column].tolist() == [1.0, 0.5]
    assert scores.errors["mrr@20"] == pytest.approx(0.25)
    assert scores.difference(scores) == (0.0, 0.0)


def test_the_split_keeps_the_future_out():
    rows = [("u1", "a", "2026-01-01"), ("u1", "b", "2026-01-02"), ("u2", "a", "2026-01-03")]
    rows += [
        ("u1", "a", "2026-02-01"), ("u1", "x", "2026-02-01"),  # the first basket after the cut
        ("u1", "b", "2026-02-05"),  # a later one
        ("u2", "b", "2026-04-01"),  # too late
        ("u3", "a", "2026-02-02"),  # nobody knows u3 before
    ]  # fmt: skip
    split = next_basket_split(frame(rows), "2026-02-01", 30, 1)
    assert split.training["at"].max() < pd.Timestamp("2026-02-01", tz="UTC")
    assert split.items["item"].tolist() == ["a", "b"]
    (only,) = split.cases
    assert only.user == "u1"
    assert only.targets.tolist() == ["a"]
    assert only.item_ids.tolist() == ["a", "b"]
    assert only.ages_days.tolist() == [31.0, 30.0]


def test_rare_items_are_not_in_the_catalogue():
    rows = [(f"u{n}", "a", "2026-01-01") for n in range(5)] + [("u0", "rare", "2026-01-01")]
    split = next_basket_split(frame(rows), "2026-02-01")
    assert split.items["item"].tolist() == ["a"]


def test_equal_scores_do_not_favour_low_codes():
    model = popularity_of({f"i{n:02d}": 1 for n in range(50)})
    ids, _ = model.serve([], [], [], 50)
    assert ids.tolist() != sorted(ids.tolist())
    assert ids.tolist() == model.serve([], [], [], 50)[0].tolist()
