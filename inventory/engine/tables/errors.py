"""Why a whole file is refused."""

from typing import Any


class TableFileRefused(Exception):
    """A file that is not read. ``code`` names the reason, ``details`` the figures and names in it."""

    def __init__(self, code: str, **details: Any) -> None:
        self.code = code
        self.details = details
        super().__init__(f"{code} {details}" if details else code)
