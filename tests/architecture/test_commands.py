"""Every command that operators are told of explains itself."""

import re
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

ROOT = Path(__file__).resolve().parents[2]
APPS = ("config", "recommendations", "forecasting", "inventory", "catalog")
OURS = sorted(name for name, app in get_commands().items() if app in APPS)
PROMISED = {
    *("import_sales", "load_demo", "plan", "train", "backtest", "verify_ledger"),
    *("check_db_guards", "worker", "scheduler", "demo"),
}


def test_promised_commands_exist() -> None:
    assert PROMISED - set(OURS) == set()


@pytest.mark.parametrize("name", OURS)
def test_command_explains_itself(name: str) -> None:
    command = load_command_class(get_commands()[name], name)
    assert len(command.help.split()) >= 3, f"{name} has no help"
    parser = command.create_parser("manage.py", name)
    assert name in parser.format_help()


def test_make_targets_explain_themselves() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY:((?:.*\\\n)*.*)$", text, re.MULTILINE)
    assert phony
    targets = set(phony[1].replace("\\", " ").split()) - {"translations"}
    explained = set(re.findall(r"^([a-z-]+):.*##", text, re.MULTILINE))
    assert targets == explained
