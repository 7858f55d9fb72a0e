"""What is committed names no machine of ours, no package host, and holds no data or third-party code."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAX_BYTES = 600_000
# Written in pieces, so that this file does not find itself.
MACHINE = re.compile(
    "|".join(
        [
            r"(?<![\w.~}/-])/(?:work|home|root|Users|mnt)" + r"/[\w.]",
            r"(?<![\w.~}/-])/tmp" + r"/[\w.]",
            r"[A-Z]:\\Users" + r"\\",
            r"file:" + "///",
        ]
    )
)
PACKAGE_HOST = re.compile(
    "|".join(
        [
            r"pypi\." + "org",
            r"python" + "hosted",
            r"registry\." + "npmjs",
            r"npm" + "mirror",
            r"/simple" + "/",
            r"(?:cdn\." + r"js|unp" + r"kg|cdn" + r"js|google" + r"apis|bootstrap" + "cdn)",
            r"(?:index|extra-index)-" + r"url\s*=",
            r"^registry" + r"\s*=",
        ]
    ),
    re.MULTILINE,
)
DATA = {
    ".parquet",
    ".gz",
    ".zip",
    ".xlsx",
    ".sqlite3",
    ".npz",
    ".npy",
    ".keras",
    ".h5",
    ".pkl",
    ".mo",
}


def tracked_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def local_traces(text: str) -> list[str]:
    """Absolute paths of a machine and hosts of packages that a text names."""
    return [
        match.group() for pattern in (MACHINE, PACKAGE_HOST) for match in pattern.finditer(text)
    ]


def test_no_file_names_a_machine_or_a_package_host() -> None:
    found = {}
    for path in tracked_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture
        if traces := local_traces(text):
            found[path.relative_to(ROOT).as_posix()] = traces[:3]
    assert found == {}


def test_no_data_models_or_built_files_are_committed() -> None:
    names = [path.relative_to(ROOT).as_posix() for path in tracked_files()]
    assert [name for name in names if Path(name).suffix in DATA] == []
    built = re.compile(r"(^|/)(node_modules|vendor|staticfiles|var|\.venv[^/]*|__pycache__)/")
    assert [name for name in names if built.search(name)] == []


def test_no_large_file_is_committed() -> None:
    sizes = {path.relative_to(ROOT).as_posix(): path.stat().st_size for path in tracked_files()}
    locks = {"requirements/dev.txt", "requirements/ml.txt", "requirements/core.txt"}
    large = {name: size for name, size in sizes.items() if size > MAX_BYTES and name not in locks}
    assert large == {}


@pytest.mark.parametrize(
    "text",
    [
        "open('/home" + "/ann/data.csv')",
        "cache = '/tmp" + "/granary'",
        "--extra-index-" + "url=somewhere",
        "<script src='//unp" + "kg.com/htmx'>",
    ],
)
def test_a_trace_of_a_machine_is_noticed(text: str) -> None:
    assert local_traces(text)
