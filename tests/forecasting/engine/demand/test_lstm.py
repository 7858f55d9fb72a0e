"""What the network does beyond the contract: covariates, curves, cancelling, refusing."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecasting.engine.demand import registry
from forecasting.engine.demand.panel import Panel, PanelError

pytestmark = pytest.mark.ml
SMALL = {"units": 8, "context": 10, "batch_windows": 16, "horizon": 4}


class Stopped(Exception):
    """Raised by a progress callback to stop a training."""


@pytest.fixture
def priced(weekly: pd.DataFrame) -> Panel:
    """Weekly demand with a price that is known four weeks ahead."""
    weeks = pd.date_range(weekly["ds"].min(), periods=64, freq="7D")
    ids = weekly["unique_id"].unique()
    known = pd.DataFrame({"unique_id": np.repeat(ids, 64), "ds": np.tile(weeks, len(ids))})
    known["price"] = 5 + np.arange(len(known)) % 3
    return Panel.from_frame(weekly, known=known)


def test_training_writes_its_curve_and_needs_the_future_price(
    priced: Panel, tmp_path: Path
) -> None:
    heard: list[tuple[float, str]] = []
    model = registry.build("lstm", {**SMALL, "log_dir": str(tmp_path)})
    report = model.fit(
        priced, steps=4, progress=lambda fraction, note: heard.append((fraction, note))
    )
    assert report.steps == 4
    assert [step for step, _, _ in report.learning_curve] == [1, 2, 3, 4]
    assert all(np.isfinite(loss) for _, loss, _ in report.learning_curve)
    assert heard[-1][0] == 1
    assert len(list(tmp_path.glob("member_0/events.out.*"))) == 1
    assert model.predict(priced, 4, (0.5,)).mean.shape == (10, 4)
    with pytest.raises(
        PanelError, match=r"'price' on 2024-03-\d\d for series 'SKU00@W', received: nothing"
    ):
        model.predict(priced, 5, (0.5,))


def test_an_exception_in_the_progress_callback_stops_the_training(weekly: pd.DataFrame) -> None:
    def stop(fraction: float, note: str) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        registry.build("lstm", SMALL).fit(Panel.from_frame(weekly), steps=50, progress=stop)


def test_an_untrained_model_cannot_be_asked_or_saved(weekly: pd.DataFrame, tmp_path: Path) -> None:
    model = registry.build("lstm", SMALL)
    with pytest.raises(RuntimeError, match="call fit or load first"):
        model.predict(Panel.from_frame(weekly), 4, (0.5,))
    with pytest.raises(RuntimeError, match="call fit or load first"):
        model.save(tmp_path / "model")
