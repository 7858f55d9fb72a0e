"""The forecast yardstick on tiny data of both formats."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import forecast
from benchmarks.forecast_io import QUANTILES


def write_m5(folder: Path, n_days: int = 120) -> list[str]:
    rng = np.random.default_rng(0)
    days = pd.date_range("2011-01-29", periods=n_days + 28)
    ids = [
        f"FOODS_1_{item:03d}_{store}_evaluation" for item in range(3) for store in ("CA_1", "TX_1")
    ]
    sales = pd.DataFrame({"id": ids})
    sales["item_id"] = [name[:11] for name in ids]
    sales["store_id"] = [name[12:16] for name in ids]
    sales["state_id"] = [name[12:14] for name in ids]
    sales["dept_id"], sales["cat_id"] = "FOODS_1", "FOODS"
    columns = {f"d_{day + 1}": rng.poisson(3, len(ids)) for day in range(n_days)}
    pd.concat([sales, pd.DataFrame(columns)], axis=1).to_parquet(folder / "sales_train.parquet")
    calendar = pd.DataFrame({"date": days, "d": [f"d_{day + 1}" for day in range(len(days))]})
    calendar["wm_yr_wk"] = 11101 + np.arange(len(days)) // 7
    calendar["event_name_1"] = np.where(np.arange(len(days)) % 30 == 5, "Fair", None)
    calendar["snap_CA"], calendar["snap_TX"] = np.arange(len(days)) % 2, 0
    calendar.to_csv(folder / "calendar.csv", index=False)
    prices = sales[["store_id", "item_id"]].merge(
        calendar[["wm_yr_wk"]].drop_duplicates(), how="cross"
    )
    prices.assign(sell_price=2.5).to_parquet(folder / "sell_prices.parquet")
    return ids


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["forecast", *arguments])
    forecast.main()


def test_m5_forecasts_carry_the_ids_and_days_of_the_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = write_m5(tmp_path)
    out = tmp_path / "out"
    run(
        monkeypatch, "--data", str(tmp_path), "--format", "m5", "--horizon", "28", "--minutes", "1",
        "--out", str(out), "--model", "weekday_mean",
    )  # fmt: skip
    frame = pd.read_parquet(out / "forecasts.parquet")
    assert list(frame.columns) == ["id", "d", "mean", *[f"q{level:g}" for level in QUANTILES]]
    assert sorted(frame["id"].unique()) == sorted(ids)
    assert frame["d"].unique().tolist() == [f"d_{day}" for day in range(121, 149)]
    assert frame["mean"].mean() == pytest.approx(3, abs=0.3)
    report = json.loads((out / "report.json").read_text())
    assert set(report["backtest"]) >= {"seasonal_naive", "weekday_mean", "moving_average"}
    assert "| weekday_mean |" in capsys.readouterr().out


@pytest.mark.ml
def test_frames_are_forecast_by_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = pd.date_range("2024-01-01", periods=90)
    rng = np.random.default_rng(1)
    parts = [
        pd.DataFrame({"unique_id": f"S{i}@W", "ds": days, "y": rng.poisson(i, 90)})
        for i in range(4)
    ]
    pd.concat(parts).to_parquet(tmp_path / "demand.parquet")
    out = tmp_path / "out"
    run(
        monkeypatch, "--data", str(tmp_path), "--format", "frame", "--horizon", "7", "--steps", "2",
        "--out", str(out), "--no-backtest",
    )  # fmt: skip
    frame = pd.read_parquet(out / "forecasts.parquet")
    assert len(frame) == 28
    assert frame["ds"].min() == pd.Timestamp("2024-03-31")
    assert json.loads((out / "report.json").read_text())["training"]["steps"] == 2
