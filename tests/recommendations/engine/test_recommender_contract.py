"""One contract for every recommender of the registry, on a shop where two tastes do not mix."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecasting.engine.artifact_store import ArtifactError
from recommendations.engine import registry

pytestmark = pytest.mark.ml

NAMES = sorted(registry.RECOMMENDERS)
PERSONAL = [name for name in NAMES if registry.build(name).is_personal]
NEIGHBOURS = ["item_knn", "blend"]
N_USERS, N_ITEMS = 40, 20
START = pd.Timestamp("2026-01-05", tz="UTC")


def checkerboard(seed: int = 0) -> pd.DataFrame:
    """Even users buy even items, odd users odd ones: each six of their ten, on different days."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(N_USERS):
        own = np.arange(user % 2, N_ITEMS, 2)
        for item in rng.permutation(own)[:6]:
            at = START + pd.Timedelta(days=int(rng.integers(0, 60)))
            rows.append((f"u{user}", f"I{item:02d}", at, "purchase", 1, 9.5))
    return pd.DataFrame(rows, columns=["user", "item", "at", "kind", "quantity", "price"])


@pytest.fixture(scope="module")
def events() -> pd.DataFrame:
    return checkerboard()


def history_of(events: pd.DataFrame, user: str) -> pd.DataFrame:
    return events[events["user"] == user]


def parity(ids: np.ndarray) -> set[int]:
    return {int(item[1:]) % 2 for item in ids.ravel().tolist() if item}


@pytest.mark.parametrize("name", NAMES)
def test_lists_are_sorted_distinct_and_within_the_catalogue(name, events):
    model = registry.build(name).fit(events)
    histories = [history_of(events, f"u{user}") for user in range(4)]
    ids, scores = model.recommend(histories, 5, exclude_seen=False)
    assert ids.shape == scores.shape == (4, 5)
    for row, values in zip(ids, scores, strict=True):
        shown = [item for item in row.tolist() if item]
        assert len(set(shown)) == len(shown)
        assert set(shown) <= set(events["item"])
        finite = values[np.isfinite(values)]
        assert (np.diff(finite) <= 0).all()
        assert (finite > 0).all()
        assert len(finite) == len(shown) > 0


@pytest.mark.parametrize("name", NAMES)
def test_seen_items_come_back_only_when_asked_for(name, events):
    model = registry.build(name).fit(events)
    history = history_of(events, "u0")
    ids, _ = model.recommend([history], N_ITEMS)
    assert not set(ids[0].tolist()) & set(history["item"])
    ids, _ = model.recommend([history], N_ITEMS, exclude_seen=False)
    assert set(ids[0].tolist()) & set(history["item"])


@pytest.mark.parametrize("name", NAMES)
def test_only_allowed_items_are_returned(name, events):
    model = registry.build(name).fit(events)
    history = history_of(events, "u0")
    allowed = ["I02", "I04", "I05", "unheard-of"]
    by_id, _ = model.recommend([history], N_ITEMS, allowed=set(allowed), exclude_seen=False)
    assert set(by_id[0].tolist()) - {""} <= {"I02", "I04", "I05"}
    mask = np.isin(model.catalogue.ids, allowed)
    by_mask, _ = model.recommend([history], N_ITEMS, allowed=mask, exclude_seen=False)
    assert by_mask.tolist() == by_id.tolist()


@pytest.mark.parametrize("name", NEIGHBOURS)
def test_tastes_do_not_mix(name, events):
    model = registry.build(name).fit(events)
    for user in range(6):
        ids, _ = model.recommend([history_of(events, f"u{user}")], 4)
        assert parity(ids) == {user % 2}


@pytest.mark.parametrize("name", PERSONAL)
def test_the_next_event_changes_the_list(name, events):
    model = registry.build(name).fit(events)
    before, _ = model.serve(["I00"], ["purchase"], [30.0], 6)
    after, _ = model.serve(["I00", "I01"], ["purchase", "purchase"], [30.0, 0.0], 6)
    assert before.tolist() != after.tolist()


@pytest.mark.parametrize("name", NAMES)
def test_a_history_of_years_ago_still_speaks(name, events):
    model = registry.build(name).fit(events)
    history = (["I00", "I02"], ["purchase", "purchase"])
    ids, scores = model.serve(*history, [2.0, 1.0], 5)
    later, values = model.serve(*history, [9002.0, 9001.0], 5)
    assert later.tolist() == ids.tolist()
    np.testing.assert_allclose(values, scores)


@pytest.mark.parametrize("name", NAMES)
def test_recommend_wraps_serve(name, events):
    model = registry.build(name).fit(events)
    history = history_of(events, "u3")
    now = events["at"].max()
    ages = (now - history["at"]).dt.total_seconds().to_numpy() / 86_400
    ids, scores = model.recommend([history], 5, exclude_seen=False)
    served, values = model.serve(history["item"], history["kind"], ages, 5)
    assert [item for item in ids[0].tolist() if item] == served.tolist()
    np.testing.assert_allclose(scores[0][: len(values)], values, rtol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_strangers_and_unknown_items_are_no_error(name, events):
    model = registry.build(name).fit(events)
    nothing, _ = model.serve([], [], [], 5)
    unknown, _ = model.serve(["unheard-of"], ["view"], [0.0], 5)
    assert nothing.tolist() == unknown.tolist()
    assert model.recommend([events.iloc[:0]], 3)[0].shape == (1, 3)


@pytest.mark.parametrize("name", NAMES)
def test_same_events_give_the_same_bytes(name, events, tmp_path):
    first = registry.build(name).fit(events).save(tmp_path / "a")
    shuffled = events.sample(frac=1, random_state=3)
    second = registry.build(name).fit(shuffled).save(tmp_path / "b")
    assert first == second


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_model_answers_as_before(name, events, tmp_path):
    model = registry.build(name).fit(events)
    model.notes = {"region_trend": {"DE": ["I01"]}}
    model.save(tmp_path / "model")
    loaded = registry.load(tmp_path / "model")
    histories = [history_of(events, f"u{user}") for user in range(5)]
    for before, after in zip(
        model.recommend(histories, 6), loaded.recommend(histories, 6), strict=True
    ):
        assert (before == after).all()
    assert loaded.params == model.params
    assert loaded.notes == model.notes


@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_folder_is_refused(name, events, tmp_path):
    registry.build(name).fit(events).save(tmp_path / "model")
    victim = sorted((tmp_path / "model").glob("*.npy"))[0]
    data = bytearray(victim.read_bytes())
    data[-1] ^= 1
    victim.write_bytes(bytes(data))
    with pytest.raises(ArtifactError, match="sha256"):
        registry.load(tmp_path / "model")


@pytest.mark.parametrize("name", NAMES)
def test_whole_numbers_may_name_items(name, events):
    numbered = events.assign(item=events["item"].str[1:].astype("int64") + 1000)
    model = registry.build(name).fit(numbered)
    ids, _ = model.recommend([history_of(numbered, "u0")], 3, exclude_seen=False)
    assert ids.dtype == np.int64
    assert ids[0, 0] >= 1000


@pytest.mark.parametrize("name", NAMES)
def test_the_catalogue_is_what_items_says(name, events):
    items = pd.DataFrame({"item": ["I00", "I02", "I04", "NEW"]})
    model = registry.build(name).fit(events, items)
    assert model.catalogue.ids.tolist() == ["I00", "I02", "I04", "NEW"]
    ids, _ = model.recommend([history_of(events, "u0")], 10, exclude_seen=False)
    assert set(ids[0].tolist()) - {""} <= {"I00", "I02", "I04"}


def test_similar_items_share_buyers_and_leave_the_item_out(events):
    for name in NEIGHBOURS:
        model = registry.build(name).fit(events)
        ids, scores = model.similar("I04", 5)
        assert "I04" not in ids.tolist()
        assert parity(ids) == {0}
        assert (np.diff(scores) <= 0).all()
        assert model.similar("unheard-of", 5)[0].tolist() == []


def test_the_reason_is_an_item_of_the_history_that_was_bought_together(events):
    model = registry.build("item_knn").fit(events)
    reasons = model.because(
        ["I00", "I01"], ["purchase", "purchase"], [1.0, 1.0], ["I02", "I03", "x"]
    )
    assert reasons == ["I00", "I01", None]


def test_a_removed_item_speaks_against_its_neighbours(events):
    model = registry.build("item_knn").fit(events)
    ids, _ = model.serve(["I00", "I01"], ["purchase", "remove"], [1.0, 0.0], 20)
    assert parity(ids) == {0}


def test_recent_popularity_follows_the_last_week(events):
    late = events["at"].max() + pd.Timedelta(days=8)
    rush = pd.DataFrame(
        [(f"late{n}", "I07", late, "purchase", 1, 1.0) for n in range(3)], columns=events.columns
    )
    both = pd.concat([events, rush])
    recent = registry.build("recent_popularity").fit(both)
    assert recent.serve([], [], [], 1)[0].tolist() == ["I07"]
    assert recent.serve([], [], [], 2)[0].size == 2


def test_popularity_counts():
    frame = checkerboard()
    model = registry.build("popularity").fit(frame)
    counts = frame["item"].value_counts()
    ids, scores = model.serve([], [], [], N_ITEMS)
    assert scores.tolist() == counts[ids.tolist()].astype(float).tolist()


def test_personal_puts_own_repeats_first(events):
    model = registry.build("personal").fit(events)
    ids, _ = model.serve(["I03", "I03", "I05"], ["purchase"] * 3, [9.0, 2.0, 1.0], 3)
    assert ids.tolist()[:2] == ["I03", "I05"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.drop(columns="kind"), "Expected a column 'kind'"),
        (lambda frame: frame.assign(kind="stolen"), "received: 'stolen'"),
        (lambda frame: frame.assign(item=None), "Expected no missing value in 'item'|item ids"),
    ],
)
def test_a_bad_frame_is_refused_by_name(change, message, events):
    items = pd.DataFrame({"item": ["I00", "I01"]})
    with pytest.raises(ValueError, match=message):
        registry.build("popularity").fit(change(events), items)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="received: 'oracle'"):
        registry.build("oracle")
    with pytest.raises(ValueError, match="received: 'depth'"):
        registry.build("item_knn", {"depth": 3})


SERVE = """
import json, sys
from recommendations.engine import registry
model = registry.load(sys.argv[1])
ids, scores = model.serve(["I00"], ["purchase"], [1.0], 3)
heavy = {"pandas", "scipy", "tensorflow", "keras", "numba", "sklearn", "django"}
print(json.dumps([ids.tolist(), sorted(heavy & set(sys.modules))]))
"""


@pytest.mark.parametrize("name", NAMES)
def test_serving_loads_numpy_alone(name, events, tmp_path):
    registry.build(name).fit(events).save(tmp_path / "model")
    finished = subprocess.run(
        [sys.executable, "-c", SERVE, str(tmp_path / "model")],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )
    ids, heavy = json.loads(finished.stdout)
    assert heavy == []
    assert ids
