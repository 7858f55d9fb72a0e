"""Why a whole file is refused. The text for people is made by the service that knows their language."""

from typing import Any


class FileRefused(Exception):
    """The file as a whole cannot be imported; nothing of it was.

    Args:
        code: one of the keys of `inventory.services.imports.texts.REFUSALS`.
        facts: what the text names: column, example, limit.
    """

    def __init__(self, code: str, **facts: Any) -> None:
        super().__init__(f"{code} {facts}")
        self.code = code
        self.facts = facts
