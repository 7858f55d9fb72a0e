"""Rules for every source file: short, no star imports, no pickles, no swallowed errors."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (
    *("config", "catalog", "inventory", "forecasting", "recommendations"),
    *("templates", "tests", "benchmarks", "deploy", "docs"),
)
MAX_LINES = 400
COUNTED = {".py", ".html", ".js", ".css", ".sh"}
# Settings of tests repeat config.settings and change a few lines: that is what settings files do.
STAR_IMPORT_ALLOWED = {"tests/settings.py", "tests/worker_settings.py"}
RUNS_CODE_WHEN_READ = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve"}


def source_files() -> Iterator[Path]:
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            generated = {"vendor", "migrations", "__pycache__"} & set(path.parts)
            if path.suffix in COUNTED and path.is_file() and not generated:
                yield path
    yield from (ROOT / name for name in ("manage.py", "Makefile", ".ci/run"))


def python_files() -> Iterator[Path]:
    return (path for path in source_files() if path.suffix == ".py")


def rule_breaks(source: str) -> list[str]:
    """What a Python file does that no file of ours may do, as "line: reason"."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            found.append(f"{node.lineno}: star import")
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        if any(name.split(".")[0] in RUNS_CODE_WHEN_READ for name in names):
            found.append(f"{node.lineno}: pickle")
        if (
            isinstance(node, ast.keyword)
            and node.arg == "allow_pickle"
            and not _is_false(node.value)
        ):
            found.append(f"{node.value.lineno}: pickle allowed")
        if isinstance(node, ast.ExceptHandler) and _catches_all(node) and _does_nothing(node):
            found.append(f"{node.lineno}: every error swallowed")
    return found


def _is_false(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is False


def _catches_all(handler: ast.ExceptHandler) -> bool:
    kind = handler.type
    return kind is None or (
        isinstance(kind, ast.Name) and kind.id in {"Exception", "BaseException"}
    )


def _does_nothing(handler: ast.ExceptHandler) -> bool:
    return all(isinstance(line, ast.Pass | ast.Continue) for line in handler.body)


def test_there_are_sources_to_look_at() -> None:
    assert len(list(python_files())) > 50


def test_files_are_short() -> None:
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in source_files()
    }
    assert {name: lines for name, lines in lengths.items() if lines > MAX_LINES} == {}


def test_no_file_breaks_a_source_rule() -> None:
    found = {}
    for path in python_files():
        name = path.relative_to(ROOT).as_posix()
        breaks = rule_breaks(path.read_text(encoding="utf-8"))
        if name in STAR_IMPORT_ALLOWED:
            breaks = [line for line in breaks if not line.endswith("star import")]
        if breaks:
            found[name] = breaks
    assert found == {}


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("from os import *", "star import"),
        ("import pickle", "pickle"),
        ("from joblib import load", "pickle"),
        ("numpy.load(path, allow_pickle=True)", "pickle allowed"),
        ("try:\n    f()\nexcept Exception:\n    pass", "every error swallowed"),
    ],
)
def test_a_broken_source_rule_is_noticed(source: str, reason: str) -> None:
    (found,) = rule_breaks(source)
    assert found.endswith(reason)
