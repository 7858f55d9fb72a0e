"""The walls between the rooms stand, and every contract still covers what it was written for."""

import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[2]
LINE = ("recommendations", "forecasting", "inventory", "catalog")
# What an app shows to people. Another app may use its models, selectors and services only.
FRONT = ("urls", "views", "api", "admin", "tables", "filters", "forms", "resources", "tasks")
# Catalog lends every app its log-in by key, its throttle, the base of lists and pages, and the way to start a run.
LENT = (
    "catalog.admin.auditing",
    "catalog.admin.base",
    "catalog.tables.base",
    "catalog.views.base",
    "catalog.tasks",
    "catalog.api.authentication",
    "catalog.api.idempotency",
    "catalog.api.permissions",
    "catalog.api.throttling",
)
NAMED_ONLY_IN_ENGINES = ("tensorflow", "keras", "numba", "sklearn", "scipy")


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph(
        *("benchmarks", "config", *LINE),
        include_external_packages=True,
        exclude_type_checking_imports=True,
        cache_dir=None,
    )


def imports_of_another_front(edges: Iterable[tuple[str, str]]) -> list[str]:
    """The imports (importer, imported) by which an app reaches into what another app shows."""
    found = []
    for importer, imported in edges:
        app, _, room = imported.partition(".")
        is_front = app in LINE and room.split(".")[0] in FRONT
        is_lent = any(imported == lent or imported.startswith(f"{lent}.") for lent in LENT)
        if (
            is_front
            and not is_lent
            and importer.split(".")[0] in LINE
            and app != importer.split(".")[0]
        ):
            found.append(f"{importer} -> {imported}")
    return found


def heavy_imports_outside_engines(edges: Iterable[tuple[str, str]]) -> list[str]:
    return [
        f"{importer} -> {imported}"
        for importer, imported in edges
        if imported in NAMED_ONLY_IN_ENGINES
        and importer.split(".")[0] != "benchmarks"
        and ".engine." not in importer
    ]


def all_edges(graph: grimp.ImportGraph) -> list[tuple[str, str]]:
    return [
        (importer, imported)
        for importer in sorted(graph.modules)
        for imported in sorted(graph.find_modules_directly_imported_by(importer))
    ]


def test_import_linter_contracts_are_kept() -> None:
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    finished = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr


def test_no_app_reaches_into_what_another_app_shows(graph: grimp.ImportGraph) -> None:
    assert imports_of_another_front(all_edges(graph)) == []


def test_reaching_into_another_front_is_noticed() -> None:
    planted = [
        ("recommendations.api.views", "inventory.views.stock"),
        ("forecasting.services.plan", "inventory.tasks"),
        ("config.urls", "inventory.urls"),
        ("inventory.api.views", "catalog.api.permissions"),
        ("inventory.views.stock", "inventory.tables"),
    ]
    assert imports_of_another_front(planted) == [
        "recommendations.api.views -> inventory.views.stock",
        "forecasting.services.plan -> inventory.tasks",
    ]


def test_training_packages_are_named_only_in_engines(graph: grimp.ImportGraph) -> None:
    assert heavy_imports_outside_engines(all_edges(graph)) == []


def test_a_training_package_outside_an_engine_is_noticed() -> None:
    planted = [("inventory.services.sales", "scipy"), ("forecasting.engine.demand.lstm", "keras")]
    assert heavy_imports_outside_engines(planted) == ["inventory.services.sales -> scipy"]


def test_contracts_look_at_every_app() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    contracts = {contract["id"]: contract for contract in settings["importlinter"]["contracts"]}
    apps = {path.parent.name for path in ROOT.glob("*/apps.py")}
    assert apps == {"config", *LINE}
    assert apps <= set(contracts["line"]["layers"])
    assert set(contracts["grammar"]["containers"]) == set(LINE)
    engines = {f"{path.parent.name}.engine" for path in ROOT.glob("*/engine")}
    assert engines == set(contracts["engines"]["source_modules"])


def test_type_checker_reads_every_service_selector_and_engine() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    checked = set(settings["mypy"]["files"])
    for app in LINE:
        for room in ("services", "selectors", "engine"):
            for path in (ROOT / app / room, ROOT / app / f"{room}.py"):
                if path.exists():
                    assert path.relative_to(ROOT).as_posix() in checked
    for name in checked:
        assert (ROOT / name).exists(), f"mypy is told to read {name}, which does not exist."
