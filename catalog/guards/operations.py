"""The last operation of every migration that touches a guarded table."""

from typing import Any

from django.db.migrations import RunPython

from catalog.guards import install_guards


def _install(_apps: Any, schema_editor: Any) -> None:
    install_guards(schema_editor.connection)


class InstallGuards(RunPython):
    """Install what is declared today on the tables that exist; going back leaves the guards alone."""

    def __init__(self) -> None:
        super().__init__(_install, RunPython.noop)

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return self.__class__.__qualname__, [], {}

    def describe(self) -> str:
        return "Install the guards"
