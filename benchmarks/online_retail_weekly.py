"""Backtest on UCI Online Retail: weekly demand of the SKUs with most revenue, rolling origins, every model side by side.

    python -m benchmarks.online_retail_weekly --data FILE --out DIR

SKUs are ranked by revenue up to the first origin. The networks are fitted once, at the first origin.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks.online_retail_frames import read_sales, weekly_demand
from forecasting.engine.demand.backtest import Gate, Result, backtest, gate
from forecasting.engine.demand.panel import Panel

BASELINES = ("seasonal_naive", "moving_average", "sba", "tsb", "imapa", "ets")
NETWORKS = ("plain_lstm", "lstm")
COLUMNS = {
    "wape": "WAPE",
    "wape_median": "WAPE median",
    "wape_sum_4": "4-week sum",
    "wape_sum_8": "8-week sum",
    "bias": "bias",
    "rmsse": "RMSSE",
    "scaled_pinball": "scaled pinball",
    "wql": "wQL(7)",
    "wql_sum_4": "wQL 4-week sum",
}


def main() -> None:
    arguments = _arguments()
    started = time.perf_counter()
    sales, counts = read_sales(arguments.data)
    panel, origins = weekly_panel(
        sales, arguments.top, arguments.horizon, arguments.last_weeks, arguments.until
    )
    with tqdm(total=100, unit="%", desc="backtest") as bar:
        results = backtest(
            panel,
            origins,
            arguments.horizon,
            arguments.models,
            seed=arguments.seed,
            steps=arguments.steps,
            summed=(4, arguments.horizon),
            progress=lambda fraction, note: _show(bar, fraction, note),
        )
    gates = _gates(results)
    print(table(results))
    arguments.out.mkdir(parents=True, exist_ok=True)
    report = {
        "rows": counts,
        "series": panel.n_series,
        "weeks": panel.n_periods,
        "origins": origins,
        "horizon": arguments.horizon,
        "seed": arguments.seed,
        "seconds": time.perf_counter() - started,
        "results": {name: result.to_dict() for name, result in results.items()},
        "gates": [one.__dict__ for one in gates],
    }
    (arguments.out / "online_retail_weekly.json").write_text(json.dumps(report, indent=1))
    for one in gates:
        print(
            f"{one.challenger} v. {one.incumbent}: {'wins' if one.passed else 'stays out'}: {one.reason}"
        )


def weekly_panel(
    sales: Any, top: int, horizon: int, last_weeks: int, until: str | None = None
) -> tuple[Panel, list[str]]:
    """Return the panel of the `top` SKUs and the weekly origins whose horizon fits into the last weeks."""
    weekly = weekly_demand(sales)
    if until is not None:
        weekly = weekly[weekly["ds"] + np.timedelta64(6, "D") <= np.datetime64(until)]
    weeks = np.sort(weekly["ds"].unique()).astype("datetime64[D]")
    first_target = weeks[-1] - np.timedelta64(7 * (last_weeks - 1), "D")
    count = last_weeks - horizon + 1
    origins = [str(first_target + np.timedelta64(7 * step - 1, "D")) for step in range(count)]
    before = weekly[weekly["ds"] < first_target]
    revenue = (
        before.groupby("unique_id")["revenue"].sum().sort_values(ascending=False, kind="stable")
    )
    chosen = weekly[weekly["unique_id"].isin(revenue.index[:top])]
    return Panel.from_frame(chosen[["unique_id", "ds", "y"]], grain="W", end=weeks[-1]), origins


def table(results: dict[str, Result]) -> str:
    """Return a markdown table, one row per model."""
    head = ["model", *COLUMNS.values(), "cover .05/.5/.95", "fit s", "predict s"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for name, result in results.items():
        cover = result.overall["coverage"]
        cells = [
            f"{result.overall[key]:+.3f}" if key == "bias" else f"{result.overall[key]:.3f}"
            for key in COLUMNS
        ]
        covered = "/".join(f"{cover[level]:.2f}" for level in ("0.05", "0.5", "0.95"))
        lines.append(
            f"| {name} | "
            + " | ".join(cells)
            + f" | {covered} | {result.fit_seconds:.0f} | {result.predict_seconds:.1f} |"
        )
    return "\n".join(lines)


def _gates(results: dict[str, Result]) -> list[Gate]:
    simple = [name for name in results if name not in NETWORKS]
    if not simple:
        return []
    incumbent = min(simple, key=lambda name: results[name].overall["scaled_pinball"])
    return [gate(results[name], results[incumbent]) for name in results if name in NETWORKS]


def _show(bar: Any, fraction: float, note: str) -> None:
    bar.set_postfix_str(note, refresh=False)
    bar.update(round(100 * fraction, 1) - bar.n)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, required=True, help="parquet or csv of raw transactions"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the JSON report")
    parser.add_argument(
        "--top", type=int, default=1500, help="SKUs by revenue up to the first origin"
    )
    parser.add_argument("--horizon", type=int, default=8, help="weeks ahead")
    parser.add_argument(
        "--last-weeks", type=int, default=12, help="weeks at the end that hold all targets"
    )
    parser.add_argument("--until", help="leave out weeks that end after this day")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, help="training steps of the networks")
    parser.add_argument("--models", nargs="+", default=[*BASELINES, *NETWORKS])
    return parser.parse_args()


if __name__ == "__main__":
    main()
