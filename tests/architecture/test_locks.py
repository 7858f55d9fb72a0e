"""Locks pin and hash every package, fit pyproject.toml, and name no place to get packages from."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("core", "ml", "dev", "bench")
PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(\[[a-z0-9,._-]+\])?==(?P<version>[^\s;\\]+)")


def lock_problems(text: str) -> list[str]:
    """What is wrong with a lock file, one line per finding."""
    found = []
    joined = re.sub(r"\\\n\s*", " ", text)
    for line in joined.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if not PIN.match(line):
            found.append(f"not a pinned package: {line[:60]}")
        elif "--hash=sha256:" not in line:
            found.append(f"without a hash: {line[:60]}")
    if re.search(r"://|--(extra-)?index|--find-links|--trusted-host| @ ", text):
        found.append("names a place to get packages from")
    return found


def pins(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    matches = (PIN.match(line) for line in text.splitlines())
    return {canonicalize_name(match["name"]): match["version"] for match in matches if match}


def required() -> dict[str, list[str]]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    core = project["project"]["dependencies"]
    ml = [*core, *project["project"]["optional-dependencies"]["ml"]]
    groups = project["dependency-groups"]
    return {"core": core, "ml": ml, "dev": [*ml, *groups["dev"]], "bench": groups["bench"]}


@pytest.mark.parametrize("name", LOCKS)
def test_lock_is_hashed_and_clean(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    assert lock_problems(text) == []
    assert len(pins(name)) > 20


@pytest.mark.parametrize("name", LOCKS)
def test_lock_holds_what_pyproject_asks_for(name: str) -> None:
    locked = pins(name)
    for line in required()[name]:
        requirement = Requirement(line)
        version = locked.get(canonicalize_name(requirement.name))
        assert version is not None, f"{line} is not in requirements/{name}.txt: run make lock"
        assert requirement.specifier.contains(version), f"{line} is locked to {version}"


def test_locks_agree_where_they_overlap() -> None:
    dev = pins("dev")
    for name in ("core", "ml"):
        assert {
            package: version for package, version in pins(name).items() if dev[package] != version
        } == {}


def test_web_lock_holds_no_training_package() -> None:
    assert {"tensorflow", "keras", "numba", "scipy", "pandas", "pyarrow"} & set(
        pins("core")
    ) == set()


def test_every_dependency_says_what_it_is_for() -> None:
    listed = re.compile(r'^    "[a-z][^"]*",(?P<purpose>.*)$')
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8").split("\n[tool.")[0]
    silent = []
    for line in text.splitlines():
        entry = listed.match(line)
        if entry and not entry["purpose"].strip().startswith("# "):
            silent.append(line.strip())
    assert silent == []


def test_front_end_lock_has_hashes_and_no_addresses() -> None:
    packages = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    assert len(packages) > 5
    for name, package in packages.items():
        if name:
            assert package["integrity"].startswith("sha512-"), name
            assert "resolved" not in package, name


def test_a_bad_lock_is_noticed() -> None:
    text = "numpy==2.0 \\\n    --hash=sha256:00\nscipy==1.0\npandas>=2\n--index-url https://a.example\n"
    assert lock_problems(text) == [
        "without a hash: scipy==1.0",
        "not a pinned package: pandas>=2",
        "not a pinned package: --index-url https://a.example",
        "names a place to get packages from",
    ]
