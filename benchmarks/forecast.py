"""Forecast any data of a known format with the default configuration and write what came out.

    python -m benchmarks.forecast --data DIR --format m5 --horizon 28 --minutes 30 --out DIR

`--minutes` is the wall clock of the whole command. Writes `forecasts.parquet` and `report.json`; for the format
m5 also a backtest on the horizon before the end of the data, beside the baselines (`--no-backtest` leaves it out).
"""

import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from tqdm import tqdm

from benchmarks.forecast_io import QUANTILES, read_panel, write_forecasts
from forecasting.engine.demand import registry
from forecasting.engine.demand.backtest import backtest
from forecasting.engine.demand.panel import Panel

BASELINES = ("seasonal_naive", "weekday_mean", "moving_average", "sba", "tsb")
RESERVED_SHARE = 0.18
"""Share of the minutes kept for reading, predicting and writing."""


def main() -> None:
    started = time.perf_counter()
    arguments = _arguments()
    deadline = None if arguments.minutes is None else started + 60 * arguments.minutes
    panel, names = read_panel(arguments.data, arguments.format)
    if arguments.cutoff is not None:
        panel = panel.until(arguments.cutoff)
    read_seconds = time.perf_counter() - started
    print(f"{panel.n_series} series, {panel.n_periods} periods to {panel.last_day}")
    arguments.out.mkdir(parents=True, exist_ok=True)
    scores = {}
    if not arguments.no_backtest and panel.n_periods > 3 * arguments.horizon:
        scores = _scores(panel, arguments, _left(deadline, 0.4))
    model = registry.build(
        arguments.model, {"log_dir": str(arguments.out / "events")} if arguments.log else {}
    )
    with tqdm(total=100, unit="%", desc=arguments.model) as bar:
        report = model.fit(
            panel,
            seed=arguments.seed,
            steps=arguments.steps,
            budget_s=_left(deadline, 1.0),
            progress=lambda fraction, note: _show(bar, fraction, note),
        )
    asked = time.perf_counter()
    forecast = model.predict(panel, arguments.horizon, QUANTILES)
    predict_seconds = time.perf_counter() - asked
    write_forecasts(arguments.out / "forecasts.parquet", forecast, arguments.format, names)
    summary: dict[str, Any] = {
        "command": "python -m benchmarks.forecast " + " ".join(sys.argv[1:]),
        "machine": f"{os.cpu_count()} processors, {platform.machine()}",
        "series": panel.n_series,
        "periods": panel.n_periods,
        "last_day": panel.last_day.isoformat(),
        "horizon": arguments.horizon,
        "model": arguments.model,
        "training": report.to_dict(),
        "backtest": scores,
        "mean_per_period": [float(value) for value in forecast.mean.sum(axis=0)],
        "read_seconds": read_seconds,
        "predict_seconds": predict_seconds,
        "seconds": time.perf_counter() - started,
    }
    (arguments.out / "report.json").write_text(json.dumps(summary, indent=1))
    print(
        f"{summary['seconds']:.0f} s, of these {report.seconds:.0f} s training in {report.steps} steps"
    )


def _scores(panel: Panel, arguments: argparse.Namespace, budget_s: float | None) -> dict[str, Any]:
    """Return the metrics of each model on the last horizon, forecast from before it, and print them."""
    origin = panel.day_of(panel.n_periods - arguments.horizon) - 1
    names = [*BASELINES, arguments.model]
    with tqdm(total=100, unit="%", desc="backtest") as bar:
        results = backtest(
            panel,
            [origin],
            arguments.horizon,
            list(dict.fromkeys(names)),
            quantiles=QUANTILES,
            seed=arguments.seed,
            steps=arguments.steps,
            budget_s=budget_s,
            summed=(arguments.horizon,),
            progress=lambda fraction, note: _show(bar, fraction, note),
        )
    total = f"wape_sum_{arguments.horizon}"
    columns = ("wape", total, "bias", "rmsse", "scaled_pinball", "wql")
    print("| model | " + " | ".join(columns) + " | cover .975 | fit s |")
    print("|" + "---|" * (len(columns) + 3))
    for name, result in results.items():
        cells = " | ".join(f"{result.overall[column]:.3f}" for column in columns)
        cover = result.overall["coverage"]["0.975"]
        print(f"| {name} | {cells} | {cover:.3f} | {result.fit_seconds:.0f} |")
    return {name: result.to_dict() for name, result in results.items()}


def _left(deadline: float | None, share: float) -> float | None:
    """Seconds of the remaining time that may go into a training."""
    if deadline is None:
        return None
    return max((deadline - time.perf_counter()) * share * (1 - RESERVED_SHARE), 1.0)


def _show(bar: Any, fraction: float, note: str) -> None:
    bar.set_postfix_str(note, refresh=False)
    bar.update(round(100 * fraction, 1) - bar.n)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the data")
    parser.add_argument("--format", choices=("m5", "frame"), required=True)
    parser.add_argument("--horizon", type=int, default=28, help="periods ahead")
    parser.add_argument("--minutes", type=float, help="wall clock of the whole command")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder of forecasts.parquet and report.json"
    )
    parser.add_argument("--cutoff", help="last known day (default: the data's last)")
    parser.add_argument("--model", default="lstm", choices=sorted(registry.FORECASTERS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--steps", type=int, help="training steps instead of the model's own number"
    )
    parser.add_argument("--no-backtest", action="store_true", help="forecast only")
    parser.add_argument(
        "--log", action="store_true", help="write TensorBoard files into OUT/events"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
