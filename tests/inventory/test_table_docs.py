"""The page on tables names every column as the code has it."""

from pathlib import Path

from inventory.services.tables import TABLES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tables.md"


def column_tables():
    """The part of the page below its last heading, out of the definitions."""
    parts = []
    for table in TABLES.values():
        lines = [f"### {table.label} (`{table.name}`)", "", str(table.meaning), ""]
        lines += ["| Column | Kind | Meaning |", "|---|---|---|"]
        for column in table.columns:
            mark = " ●" if column.required else " ○" if column.for_new else ""
            known = ", ".join(str(code) for code, _label in column.choices)
            kind = f"{column.kind}: {known}" if known else column.kind
            label = str(column.label)
            meaning = f"{label[:1].upper()}{label[1:]}. {column.meaning}".strip()
            lines.append(f"| `{column.name}`{mark} | {kind} | {meaning} |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def test_the_page_has_the_columns_of_the_code():
    assert PAGE.read_text(encoding="utf-8").endswith("\n\n" + column_tables())
