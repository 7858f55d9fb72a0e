"""The policy yardstick reads its format, evaluates exactly and writes what it printed."""

import json

import numpy as np
import pytest

from benchmarks.policies import main, problem_from_instance
from forecasting.engine.replenishment import demand as pmfs

INSTANCE = {
    "name": "tiny",
    "model": "backorder",
    "demand": {"type": "poisson", "mean": 6.0},
    "lead_time": 0,
    "h": 1,
    "p": 4,
    "K": 5,
    "optimal_avg_cost": 8.0341,
}


def test_every_kind_of_demand_is_read():
    problem = problem_from_instance(
        {
            **INSTANCE,
            "demand_process": "markov_modulated",
            "transition": [[0.5, 0.25, 0.25, 0], [0, 1, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0]],
            "demand": [
                {"type": "poisson", "mean": 2.0},
                {"type": "geometric", "mean": 3.0},
                {"type": "negbin", "mean": 4.0, "vmr": 2.0},
                {"type": "pmf", "pmf": [0.5, 0.0, 0.5]},
            ],
        }
    )
    assert [pmfs.mean_of(pmf) for pmf in problem.demand] == pytest.approx([2, 3, 4, 1])
    cyclic = problem_from_instance(
        {**INSTANCE, "demand_process": "cyclic", "demand": [INSTANCE["demand"]] * 3}
    )
    assert cyclic.transition is None
    assert cyclic.phases == 3


def test_an_unknown_distribution_or_process_is_refused():
    with pytest.raises(ValueError, match="Expected demand type"):
        problem_from_instance({**INSTANCE, "demand": {"type": "gamma", "mean": 1}})
    with pytest.raises(ValueError, match="Expected demand_process"):
        problem_from_instance({**INSTANCE, "demand_process": "chaos"})


@pytest.mark.ml
def test_the_command_prints_and_writes_a_table(tmp_path, capsys):
    file, out = tmp_path / "instances.json", tmp_path / "deep" / "out.json"
    skipped = {**INSTANCE, "name": "other"}
    file.write_text(json.dumps({"instances": [INSTANCE, skipped]}))
    arguments = ["--instances", str(file), "--method", "s_S", "--filter", "tin", "--out", str(out)]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "tiny" in printed
    assert "other" not in printed
    row = json.loads(out.read_text())["instances"][0]
    assert row["average_cost"] == pytest.approx(8.0341, abs=1e-4)
    assert abs(row["gap_pct"]) < 0.01
    assert np.diff(row["bounds"])[0] < 1e-5


def test_a_filter_that_matches_nothing_is_an_error(tmp_path, capsys):
    file = tmp_path / "instances.json"
    file.write_text(json.dumps([INSTANCE]))
    with pytest.raises(SystemExit):
        main(["--instances", str(file), "--filter", "zzz"])
    assert "received: 'zzz'" in capsys.readouterr().err
