"""Whatever a row holds comes back from a file exactly as it was."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.models import Category, Product
from inventory.engine.tables import (
    TableFileRefused,
    csv_pieces,
    neutralised,
    read_table,
    restored,
    write_xlsx,
)
from inventory.engine.tables.texts import HARMFUL
from inventory.engine.tables.writing import cell_text
from inventory.services.tables import TABLES
from inventory.services.tables.columns import KEEP
from inventory.services.tables.faults import Fault
from tests.inventory.table_files import bring, counts, exported, send

# what a text column of both databases can hold
CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
STARTS = st.sampled_from(
    ["", "=", "+", "-", "@", "\t", "\r", "'", "'=", "''@", "\ufeff", '"', " ", ","]
)
TEXTS = st.builds(lambda start, rest: start + rest, STARTS, st.text(CHARACTERS, max_size=12))
VALUES = st.one_of(
    TEXTS,
    st.none(),
    st.booleans(),
    st.integers(0, 2**63 - 1),
    st.decimals(0, 10**14, places=4, allow_nan=False),
    st.floats(0, 1e6, allow_nan=False),
    st.dates(),
)


def read_back(path, file_name=""):
    with read_table(path, file_name=file_name) as table:
        return [
            [restored(cell) for cell in (*row.cells, "", "", "")[: len(table.head)]]
            for row in table.rows()
        ]


@given(TEXTS)
def test_neutralising_is_undone_exactly_and_leaves_nothing_harmful(text):
    assert restored(neutralised(text)) == text
    assert neutralised(text)[:1] not in ("=", "+", "-", "@", "\t", "\r")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx"])
def test_what_a_spreadsheet_would_run_is_neutralised(text):
    assert neutralised(text) == f"'{text}"
    assert HARMFUL.match(text)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=20))
def test_csv_gives_back_every_value(tmp_path, rows):
    path = tmp_path / "t.csv"
    path.write_bytes(b"".join(csv_pieces(["key", "a", "b"], [("k", *row) for row in rows])))
    assert read_back(path) == [["k", *map(cell_text, row)] for row in rows]


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=20))
def test_a_spreadsheet_gives_back_every_value_or_refuses_to_be_written(tmp_path, rows):
    path = tmp_path / "t.xlsx"
    try:
        write_xlsx(path, ["key", "a", "b"], [("k", *row) for row in rows], sheet="t")
    except TableFileRefused:
        assert any("\ufffe" in str(row) or "\uffff" in str(row) or "_x" in str(row) for row in rows)
        return
    found = read_back(path)
    for row, cells in zip(rows, found, strict=True):
        assert [same(value, cell) for value, cell in zip(row, cells[1:], strict=True)] == [
            True,
            True,
        ]


def same(value, cell):
    """Numbers may be spelled otherwise by a spreadsheet; their value may not differ."""
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
        return Decimal(cell) == exact
    return cell == cell_text(value)


COLUMNS = [column for table in TABLES.values() if table.session for column in table.columns]


@settings(max_examples=300)
@given(st.sampled_from(COLUMNS), TEXTS)
def test_any_text_is_a_value_or_a_named_fault(column, text):
    try:
        value = column.parse(text)
    except Fault:
        value = None  # anything else that is raised is what this test is about
    if value is not KEEP and value is not None:
        assert column.parse(neutralised(column.text(value))) == value


@pytest.mark.parametrize(
    "text",
    ["1e400", "1e999999999", "-1e400", "9" * 5000, "nan", "inf", "1_000", "٣", "1,5", "0x10", "1e-400",
     "--1", "1 000", "=1", "10" * 31],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["integer", "money", "decimal", "number"])
def test_numbers_that_no_column_holds_are_faults(kind, text):
    for column in COLUMNS:
        if column.kind == kind:
            with pytest.raises(Fault):
                column.parse(text)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("integer", "12.0", 12), ("integer", "1e3", 1000), ("money", "3.1000", Decimal("3.1")),
        ("boolean", "YES", True), ("date", "2026-01-02T00:00:00", date(2026, 1, 2)),
        ("weekdays", "monday, wed", [0, 2]),
        ("datetime", "2026-01-02T01:00+01:00", datetime(2026, 1, 2, tzinfo=UTC)),
    ],
)  # fmt: skip
def test_spellings_that_are_understood(kind, text, value):
    column = next(column for column in COLUMNS if column.kind == kind)
    assert column.parse(text) == value


@pytest.mark.django_db
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(
        st.text(CHARACTERS, min_size=1, max_size=20).filter(str.strip), min_size=1, max_size=6
    ),
    texts=st.lists(TEXTS, min_size=6, max_size=6),
)
def test_products_with_any_texts_survive_both_ways(db_boss, noon, tmp_path, settings, names, texts):
    settings.MEDIA_ROOT = tmp_path
    Product.objects.all().delete()
    Category.objects.all().delete()
    Product.objects.bulk_create(
        Product(sku=f"S{number}", name=name, brand=text, description=text)
        for number, (name, text) in enumerate(zip(names, texts, strict=False))
    )
    before = exported("products")
    assert counts(send("products", before, by=db_boss, at=noon)) == (0, 0, len(names), 0)
    Product.objects.all().delete()
    bring("products", before, by=db_boss, at=noon)
    assert exported("products") == before


@pytest.fixture
def db_boss(make_user):
    user = make_user("boss", "admin")
    user.is_superuser = True
    user.save()
    return user
