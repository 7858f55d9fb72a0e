"""The last operation of every migration that touches a guarded table."""

from typing import Any

from django.db.migrations import RunPython

from catalog.guards import drop_guards, install_guards


def _install(_apps: Any, schema_editor: Any) -> None:
    install_guards(schema_editor.connection)


def _drop(_apps: Any, schema_editor: Any) -> None:
    drop_guards(schema_editor.connection)


class InstallGuards(RunPython):
    """Install what is declared today on the tables that exist.

    Going back takes all guards away: they may speak of columns that are about to go. The `migrate` of the
    release that one goes back to installs its own.
    """

    def __init__(self) -> None:
        super().__init__(_install, _drop)

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return self.__class__.__qualname__, [], {}

    def describe(self) -> str:
        return "Install the guards"
