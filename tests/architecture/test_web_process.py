"""The web process stays light: it never loads what only training and file import need."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("tensorflow", "keras", "numba", "scipy", "sklearn", "pandas", "pyarrow", "openpyxl")
# Everything a web worker or the parent of a Celery worker has loaded before the first request.
START = """
import importlib, os, pkgutil, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
import config.wsgi
import config.urls
from django.apps import apps
from django.urls import get_resolver
get_resolver().url_patterns
get_resolver().reverse_dict
from config.celery import app
app.loader.import_default_modules()
app.finalize()
for name in ("catalog", "inventory", "forecasting", "recommendations"):
    for room in ("tasks", "admin", "api", "views", "urls"):
        if importlib.util.find_spec(f"{name}.{room}") is not None:
            module = importlib.import_module(f"{name}.{room}")
            for part in pkgutil.walk_packages(getattr(module, "__path__", []), f"{name}.{room}."):
                importlib.import_module(part.name)
"""
REPORT = f"""
print("loaded:", *sorted({{name.split(".")[0] for name in sys.modules}} & set({HEAVY})))
"""


def loaded_by(program: str, var: Path) -> list[str]:
    finished = subprocess.run(
        [sys.executable, "-c", program + REPORT],
        cwd=ROOT,
        env={**os.environ, "GRANARY_VAR": str(var), "LOG_LEVEL": "ERROR"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    (line,) = [line for line in finished.stdout.splitlines() if line.startswith("loaded:")]
    return line.split()[1:]


def test_web_process_loads_no_training_package(tmp_path: Path) -> None:
    assert loaded_by(START, tmp_path) == []


def test_a_training_package_in_the_web_process_is_noticed(tmp_path: Path) -> None:
    assert "scipy" in loaded_by(START + "\nimport scipy\n", tmp_path)
