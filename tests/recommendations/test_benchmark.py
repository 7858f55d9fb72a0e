"""The benchmark reads its four formats and writes what it prints."""

import gzip
import json

import pandas as pd
import pytest

from benchmarks import recommend

pytestmark = pytest.mark.ml
MODELS = ["--models", "popularity", "item_knn"]


def test_online_retail_keeps_what_was_sold(tmp_path):
    columns = [
        "InvoiceNo",
        "StockCode",
        "Description",
        "Quantity",
        "InvoiceDate",
        "UnitPrice",
        "CustomerID",
        "Country",
    ]
    rows = [
        (f"{n}", "85123a", "x", 1, f"2011-05-{n:02d} 10:00", 2.5, 100 + n % 3, "UK")
        for n in range(1, 21)
    ]
    rows += [
        ("C30", "85123A", "x", -1, "2011-05-21", 2.5, 100, "UK"),  # cancelled
        ("31", "POST", "x", 1, "2011-05-21", 2.5, 100, "UK"),  # no product
        ("32", "85123A", "x", 1, "2011-05-21", 0.0, 100, "UK"),  # no price
        ("33", "85123A", "x", 1, "2011-05-21", 2.5, None, "UK"),  # nobody
        ("34", "85123A", "x", 1, "2011-06-02 09:00", 2.5, 100, "UK"),
        ("34", "85123A", "x", 5, "2011-06-02 09:01", 2.5, 100, "UK"),  # the same line again
    ]
    path = tmp_path / "sales.csv"
    pd.DataFrame(rows, columns=columns).to_csv(path, index=False)
    events = recommend.read_online_retail(path)
    assert len(events) == 21
    assert set(events["item"]) == {"85123A"}
    out = tmp_path / "out" / "rows.json"
    found = recommend.main(
        [
            "--data",
            str(path),
            "--format",
            "online-retail",
            "--cut",
            "2011-06-01",
            "--out",
            str(out),
            *MODELS,
        ]
    )
    assert [(row["model"], row["task"], row["cases"]) for row in found] == [
        ("popularity", "all", 1), ("popularity", "novel", 0), ("item_knn", "all", 1), ("item_knn", "novel", 0),
    ]  # fmt: skip
    assert found[0]["ndcg@10"] == 1
    assert json.loads(out.read_text())["rows"] == found


def test_sequences_leave_the_last_item_out(tmp_path, capsys):
    path = tmp_path / "sequences.txt.gz"
    lines = [f"{user} {'1 2 3' if user % 2 else '4 5 6'}" for user in range(20)] + [
        "20 1 2 3",
        "21 7 1",
    ]
    # 3 and 6 are in the catalogue, because two users have them before their last item
    lines += ["22 3 2 1", "23 6 5 4"]
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    rows = recommend.main(["--data", str(path), "--format", "sequences", *MODELS])
    assert {row["task"] for row in rows} == {"novel"}
    assert all(row["cases"] == 24 for row in rows)
    assert "24 test users" in capsys.readouterr().out


def test_baskets_leave_the_last_basket_out(tmp_path):
    path = tmp_path / "baskets.json"
    path.write_text(
        json.dumps({str(n): [["a", "b"], ["a", "c"], ["a", "b", "z"]] for n in range(4)})
    )
    split = recommend.prepare_baskets(path, None).split
    assert len(split.training) == 16
    assert split.cases[0].targets.tolist() == ["a", "b"]  # nobody can know z
    assert sorted(set(split.cases[0].ages_days.tolist())) == [1, 2]


@pytest.mark.parametrize("separator", [",", "\t", "::"])
def test_ratings_hold_a_quarter_out_or_cut_at_a_time(tmp_path, separator):
    lines = [
        separator.join([f"u{n % 5}", f"i{n // 5}", "4", str(1_000_000 + n)]) for n in range(40)
    ]
    path = tmp_path / "ratings.txt"
    path.write_text("\n".join(lines))
    split = recommend.prepare_ratings(path, None).split
    assert len(split.training) == 30
    assert {len(case.targets) for case in split.cases} <= {1, 2}
    cut = pd.to_datetime(1_000_020, unit="s", utc=True).isoformat()
    assert len(recommend.prepare_ratings(path, cut.replace("+00:00", "")).split.training) == 20


def test_a_format_without_its_cut_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="needs --cut"):
        recommend.prepare_online_retail(tmp_path / "x.parquet", None)
