"""System checks: a wrong set-up is named with a hint by `manage.py check`, not found out by a crash."""

import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register


@register(Tags.files)
def check_folders(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Models and messages can be written."""
    folders = {"ARTIFACT_ROOT": Path(settings.ARTIFACT_ROOT), "GRANARY_VAR": Path(settings.VAR_DIR)}
    return [
        Error(
            f"{name} ({folder}) cannot be written.",
            hint="Create the folder for the user that runs Granary, or name another one.",
            id="config.E001",
        )
        for name, folder in folders.items()
        if not _existing(folder).is_dir() or not os.access(_existing(folder), os.W_OK)
    ]


@register(Tags.compatibility)
def check_clock(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Times are stored in UTC; a warehouse has its own time zone."""
    if settings.TIME_ZONE == "UTC" and settings.USE_TZ:
        return []
    return [
        Error(
            "TIME_ZONE must stay UTC.", hint="Set the time zone of a warehouse.", id="config.E002"
        )
    ]


@register(Tags.compatibility)
def check_runs(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """A lease outlives its heartbeats, and a Redis message its run."""
    found: list[CheckMessage] = []
    if settings.RUN_LEASE_SECONDS < 3:
        found.append(
            Error(
                "RUN_LEASE_SECONDS is shorter than three heartbeats.",
                hint="Use 3 or more; 60 is the default.",
                id="config.E003",
            )
        )
    if settings.PRODUCTION and settings.CELERY_BROKER_URL.startswith("memory"):
        found.append(
            Error(
                "An in-memory broker loses every message.",
                hint="Set CELERY_BROKER_URL.",
                id="config.E004",
            )
        )
    return found


@register(Tags.database, databases=["default"])
def check_engine(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Only the engines that guards exist for."""
    engine = settings.DATABASES["default"]["ENGINE"]
    if engine in ("config.sqlite3", "django.db.backends.postgresql"):
        return []
    return [
        Error(
            f"There are no guards for {engine}.",
            hint="DATABASE_URL=postgres://… or none at all (SQLite).",
            id="config.E005",
        )
    ]


@register(Tags.security, deploy=True)
def check_keys(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """A key file that others can read is no secret."""
    path = Path(settings.VAR_DIR) / "secret_key"
    if path.exists() and path.stat().st_mode & 0o077:
        return [
            Warning(f"{path} can be read by others.", hint=f"chmod 600 {path}", id="config.W001")
        ]
    return []


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder
