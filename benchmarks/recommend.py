"""Recommenders side by side: ``python -m benchmarks.recommend --data FILE --format FORMAT [--cut DATE]``.

Protocol. Every item of the catalogue that occurs in the training part is ranked for every test user; no sampled
negatives. The measures are defined in recommendations/engine/evaluation.py.

* ``online-retail``: transactions (parquet or csv) with CustomerID, Quantity > 0, UnitPrice > 0, InvoiceNo without a
  leading C, StockCode (upper case) of five digits and letters. One event per customer, invoice and stock code.
  Training = events before 00:00 of the cut; catalogue = codes with 5 or more of them; target = the distinct catalogue
  items of a customer's first invoice within 30 days from the cut. Task ALL ranks everything, NOVEL leaves out what the
  customer bought before, in ranking and target.
* ``sequences``: lines "user item item ..." (may be gzipped), oldest first. The last item is the target, what came
  before is the history and the training part; items of the history are not ranked.
* ``baskets``: JSON user -> list of lists of items, oldest first. The last basket is the target; tasks ALL and NOVEL.
* ``ratings``: user, item, rating, timestamp (csv, tab or "::"). Every rating counts. With ``--cut`` the target is what
  a user rates from the cut on; without it a random quarter of each user's ratings (seed 42). Seen items are not ranked.

Where a file has positions instead of times, one position counts as one day.
"""

import argparse
import gzip
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from recommendations.engine import registry
from recommendations.engine.catalogue import id_array
from recommendations.engine.evaluation import (
    Case,
    Scores,
    Split,
    Task,
    evaluate,
    next_basket_split,
)

EVENT_COLUMNS = ["user", "item", "at", "kind", "quantity", "price"]
END = pd.Timestamp("2000-01-01", tz="UTC")
COLUMNS = ("ndcg@10", "recall@20", "hr@10", "mrr@20")


@dataclass(frozen=True)
class Prepared:
    """A split and the tasks that its format measures."""

    split: Split
    tasks: tuple[Task, ...]


def read_online_retail(path: Path) -> pd.DataFrame:
    """Return the purchases of the file as events; an invoice's time is its earliest line."""
    raw = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, dtype=str)
    raw["Quantity"] = pd.to_numeric(raw["Quantity"])
    raw["UnitPrice"] = pd.to_numeric(raw["UnitPrice"])
    raw["StockCode"] = raw["StockCode"].astype(str).str.upper()
    invoice = raw["InvoiceNo"].astype(str)
    kept = raw[
        raw["CustomerID"].notna()
        & (raw["Quantity"] > 0)
        & (raw["UnitPrice"] > 0)
        & ~invoice.str.startswith("C")
        & raw["StockCode"].str.fullmatch(r"\d{5}[A-Z]*")
    ]
    moment = pd.to_datetime(kept["InvoiceDate"], utc=True)
    events = pd.DataFrame(
        {
            "user": kept["CustomerID"].astype(float).astype(int).astype(str),
            "item": kept["StockCode"],
            "at": moment.groupby(kept["InvoiceNo"]).transform("min"),
            "kind": "purchase",
            "quantity": kept["Quantity"],
            "price": kept["UnitPrice"],
            "invoice": kept["InvoiceNo"],
        }
    )
    return events.drop_duplicates(["user", "invoice", "item"])[EVENT_COLUMNS]


def prepare_online_retail(path: Path, cut: str | None) -> Prepared:
    if cut is None:
        raise SystemExit("The format online-retail needs --cut DATE.")
    split = next_basket_split(read_online_retail(path), pd.Timestamp(cut, tz="UTC"), 30, 5)
    return Prepared(split, ("all", "novel"))


def prepare_sequences(path: Path, cut: str | None) -> Prepared:
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    lines = (line.split() for line in text.splitlines() if line.strip())
    users = {words[0]: [[item] for item in words[1:]] for words in lines}
    return Prepared(leave_last_out(users), ("novel",))


def prepare_baskets(path: Path, cut: str | None) -> Prepared:
    data = json.loads(path.read_text())
    users = {user: [list(map(str, basket)) for basket in baskets] for user, baskets in data.items()}
    return Prepared(leave_last_out(users), ("all", "novel"))


def leave_last_out(users: dict[str, list[list[str]]]) -> Split:
    """Split users' baskets, oldest first: all but the last one are training and history."""
    rows: list[tuple[str, str, int]] = []
    for user, baskets in users.items():
        n = len(baskets)
        rows += [
            (user, item, n - 1 - position)
            for position, basket in enumerate(baskets[:-1])
            for item in dict.fromkeys(basket)
        ]
    training = pd.DataFrame(rows, columns=["user", "item", "age"])
    training["at"] = END - pd.to_timedelta(training["age"], unit="D")
    training["kind"] = "purchase"
    items = pd.DataFrame({"item": sorted(set(training["item"]))})
    known = set(items["item"])
    histories = dict(list(training.groupby("user", sort=False)))
    cases = []
    for user, baskets in users.items():
        targets = [item for item in dict.fromkeys(baskets[-1]) if item in known]
        if user in histories and targets:
            history = histories[user]
            cases.append(_case(user, history["item"], history["age"], targets))
    return Split(training, items, cases)


def prepare_ratings(path: Path, cut: str | None) -> Prepared:
    separator = "::" if "::" in path.read_text()[:200] else None
    raw = pd.read_csv(
        path, sep=separator, engine="python", header=None, names=["user", "item", "rating", "time"]
    )
    if not str(raw["time"].iloc[0]).replace(".", "", 1).isdigit():
        raw = raw.iloc[1:]  # a line of column names
    at = pd.to_datetime(pd.to_numeric(raw["time"]), unit="s", utc=True)
    events = raw.assign(user=raw["user"].astype(str), item=raw["item"].astype(str), at=at)
    events["kind"] = "purchase"
    if cut is not None:
        is_training = events["at"] < pd.Timestamp(cut, tz="UTC")
    else:
        rng = np.random.default_rng(42)
        draw = pd.Series(rng.random(len(events)), index=events.index)
        rank = draw.groupby(events["user"]).rank(method="first", pct=True)
        is_training = rank <= 0.75
    training = events[is_training][["user", "item", "at", "kind"]]
    items = pd.DataFrame({"item": sorted(set(training["item"]))})
    rest = events[~is_training & events["item"].isin(set(items["item"]))]
    targets = rest.groupby("user")["item"].unique()
    end = training["at"].max()
    known = training[training["user"].isin(set(targets.index))]
    cases = [
        _case(
            user, history["item"], (end - history["at"]).dt.total_seconds() / 86_400, targets[user]
        )
        for user, history in known.groupby("user", sort=True)
    ]
    return Prepared(Split(training, items, cases), ("novel",))


def _case(user: str, items: Any, ages: Any, targets: Any) -> Case:
    item_ids = id_array(np.asarray(items, dtype=object))
    return Case(
        user=user,
        item_ids=item_ids,
        kinds=np.full(len(item_ids), "purchase"),
        ages_days=np.asarray(ages, dtype=np.float64),
        targets=id_array(np.asarray(targets, dtype=object)),
    )


FORMATS: dict[str, Callable[[Path, str | None], Prepared]] = {
    "online-retail": prepare_online_retail,
    "sequences": prepare_sequences,
    "baskets": prepare_baskets,
    "ratings": prepare_ratings,
}


def run(prepared: Prepared, models: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Fit every model with the registry's defaults and measure it; one row per model and task."""
    for name in models:
        started = time.perf_counter()
        model = registry.build(name).fit(prepared.split.training, prepared.split.items)
        fit_seconds = time.perf_counter() - started
        for task in prepared.tasks:
            with tqdm(total=len(prepared.split.cases), desc=f"{name} {task}", leave=False) as bar:
                started = time.perf_counter()
                scores = evaluate(model, prepared.split.cases, task, bar.update)
            yield _row(name, task, scores, fit_seconds, time.perf_counter() - started)


def _row(name: str, task: str, scores: Scores, fit: float, ranking: float) -> dict[str, Any]:
    return {
        "model": name,
        "task": task,
        "cases": scores.n_cases,
        **{measure: round(value, 4) for measure, value in scores.means.items()},
        **{f"se_{measure}": round(value, 4) for measure, value in scores.errors.items()},
        "coverage@20": round(scores.coverage, 4),
        "fit_seconds": round(fit, 1),
        "ms_per_list": round(1000 * ranking / max(scores.n_cases, 1), 3),
    }


def table(rows: Sequence[dict[str, Any]]) -> str:
    names = ["model", "task", "cases", *COLUMNS, "coverage@20", "fit_seconds", "ms_per_list"]
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    for row in rows:
        cells = [
            f"{row[name]:.4f} ±{row[f'se_{name}']:.4f}" if name in COLUMNS else str(row[name])
            for name in names
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> list[dict[str, Any]]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--format", choices=sorted(FORMATS), required=True)
    parser.add_argument("--cut", help="training ends before 00:00 UTC of this day")
    parser.add_argument("--models", nargs="+", default=sorted(registry.RECOMMENDERS))
    parser.add_argument("--out", type=Path, help="write the rows as JSON")
    given = parser.parse_args(arguments)
    prepared = FORMATS[given.format](given.data, given.cut)
    split = prepared.split
    print(
        f"{given.format}: {len(split.training)} training events, {len(split.items)} items, "
        f"{len(split.cases)} test users"
    )
    rows = list(run(prepared, given.models))
    print(table(rows))
    if given.out:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        facts = {"format": given.format, "cut": given.cut, "events": len(split.training)}
        given.out.write_text(
            json.dumps({**facts, "items": len(split.items), "rows": rows}, indent=1)
        )
    return rows


if __name__ == "__main__":
    main()
