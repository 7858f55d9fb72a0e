import numpy as np
import pandas as pd
import pytest

from forecasting.engine.demand.panel import Panel, PanelError


def frame(*rows: tuple[str, str, float], **more: list[float]) -> pd.DataFrame:
    made = pd.DataFrame(rows, columns=["unique_id", "ds", "y"])
    return made.assign(ds=pd.to_datetime(made["ds"]), **more)


def test_missing_days_are_zero_from_the_first_row_on_and_masked_before() -> None:
    panel = Panel.from_frame(
        frame(("B@W", "2024-01-03", 2), ("A@W", "2024-01-01", 1), ("A@W", "2024-01-04", 3))
    )
    assert panel.unique_ids.tolist() == ["A@W", "B@W"]
    assert panel.y.tolist() == [[1, 0, 0, 3], [0, 0, 2, 0]]
    assert panel.listed.tolist() == [[True] * 4, [False, False, True, True]]
    assert panel.static["sku"].tolist() == ["A", "B"]
    assert panel.static["warehouse"].tolist() == ["W", "W"]


def test_stocked_out_days_are_not_valid() -> None:
    panel = Panel.from_frame(
        frame(("A@W", "2024-01-01", 1), ("A@W", "2024-01-02", 0), stocked_out=[False, True])
    )
    assert panel.valid.tolist() == [[True, False]]


def test_mondays_alone_make_a_weekly_panel() -> None:
    panel = Panel.from_frame(frame(("A@W", "2024-01-01", 1), ("A@W", "2024-01-15", 2)))
    assert (panel.grain, panel.n_periods, panel.season) == ("W", 3, 1)
    assert panel.last_day.isoformat() == "2024-01-21"


def test_grain_and_end_can_be_said() -> None:
    panel = Panel.from_frame(frame(("A@W", "2024-01-01", 1)), grain="D", end="2024-01-10")
    assert (panel.grain, panel.n_periods) == ("D", 10)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("A@W", "2024-01-01", -1)], r"y >= 0 on 2024-01-01 for series 'A@W', received: -1"),
        ([("A@W", "2024-01-02", float("nan"))], r"y >= 0 on 2024-01-02 for series 'A@W'"),
        (
            [("A@W", "2024-01-02", 1), ("A@W", "2024-01-02", 2)],
            r"'A@W' on 2024-01-02, received: several",
        ),
    ],
)
def test_bad_demand_is_refused_by_name(rows: list[tuple[str, str, float]], message: str) -> None:
    with pytest.raises(PanelError, match=message):
        Panel.from_frame(frame(*rows))


def test_weekly_frames_refuse_other_days() -> None:
    with pytest.raises(PanelError, match=r"Mondays .* 2024-01-02"):
        Panel.from_frame(frame(("A@W", "2024-01-01", 1), ("A@W", "2024-01-02", 1)), grain="W")


def test_days_must_be_whole_and_without_zone() -> None:
    late = frame(("A@W", "2024-01-01 10:00", 1))
    with pytest.raises(PanelError, match="whole days"):
        Panel.from_frame(late)
    with pytest.raises(PanelError, match="time zone"):
        Panel.from_frame(late.assign(ds=late["ds"].dt.tz_localize("UTC")))


def test_origin_is_the_last_known_day_inclusive() -> None:
    panel = Panel.from_frame(frame(("A@W", "2024-01-01", 1), ("A@W", "2024-01-05", 2)))
    assert panel.until("2024-01-03").n_periods == 3
    with pytest.raises(
        PanelError, match="origin from 2024-01-01 to 2024-01-05, received: 2024-01-06"
    ):
        panel.until("2024-01-06")


def test_a_week_counts_as_known_only_when_it_is_over() -> None:
    panel = Panel.from_frame(frame(("A@W", "2024-01-01", 1), ("A@W", "2024-01-15", 2)))
    assert panel.index_of("2024-01-13") == 0
    assert panel.index_of("2024-01-14") == 1


def known(*rows: tuple[str, str, float | None]) -> pd.DataFrame:
    made = pd.DataFrame(rows, columns=["unique_id", "ds", "price"])
    return made.assign(ds=pd.to_datetime(made["ds"]))


def test_missing_future_value_names_column_day_and_series() -> None:
    demand = frame(("A@W", "2024-01-01", 1), ("A@W", "2024-01-02", 2))
    prices = known(("A@W", "2024-01-01", 5), ("A@W", "2024-01-02", 6), ("A@W", "2024-01-03", 6))
    panel = Panel.from_frame(demand, known=prices)
    panel.require_known(["price"], 3)
    with pytest.raises(
        PanelError, match="'price' on 2024-01-04 for series 'A@W', received: nothing"
    ):
        panel.require_known(["price"], 4)
    with pytest.raises(PanelError, match="'price' on 2024-01-03, received: nothing"):
        Panel.from_frame(demand, known=prices.assign(price=[5, 6, None]))


def test_text_covariates_become_indicators_for_all_series() -> None:
    events = pd.DataFrame(
        {"ds": pd.to_datetime(["2024-01-01", "2024-01-02"]), "event": ["", "Fair"]}
    )
    panel = Panel.from_frame(
        frame(("A@W", "2024-01-01", 1), ("B@W", "2024-01-02", 2)), known=events
    )
    column = panel.known["event=Fair"]
    assert column.values[column.row].tolist() == [[0, 1], [0, 1]]


def test_closed_days_are_masked() -> None:
    closed = pd.DataFrame(
        {"ds": pd.to_datetime(["2024-01-01", "2024-01-02"]), "closed": [False, True]}
    )
    panel = Panel.from_frame(
        frame(("A@W", "2024-01-01", 1), ("A@W", "2024-01-02", 0)), known=closed
    )
    assert panel.valid.tolist() == [[True, False]]


def test_static_columns_are_aligned_and_absent_ones_empty() -> None:
    static = pd.DataFrame({"unique_id": ["B@W"], "category": ["toys"]})
    panel = Panel.from_frame(
        frame(("A@W", "2024-01-01", 1), ("B@W", "2024-01-01", 2)), static=static
    )
    assert panel.static["category"].tolist() == ["", "toys"]
    with pytest.raises(PanelError, match="'B@W', received: several"):
        Panel.from_frame(frame(("B@W", "2024-01-01", 2)), static=pd.concat([static, static]))


def test_subset_keeps_arrays_together() -> None:
    panel = Panel.from_frame(frame(("A@W", "2024-01-01", 1), ("B@W", "2024-01-01", 2)))
    assert panel.subset(["B@W"]).y.tolist() == [[2]]
    with pytest.raises(PanelError, match="'C@W'"):
        panel.subset(["C@W"])
    assert np.shares_memory(panel.until(None).y, panel.y)
