"""Folders of trained models and the rows that make them visible."""

import hashlib
import shutil
import time
import uuid
from datetime import date, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from catalog.models import Run
from forecasting.models import Artifact


def artifact_folder(artifact: Artifact) -> Path:
    return Path(settings.ARTIFACT_ROOT) / artifact.path


def new_artifact_path(*, purpose: str) -> tuple[uuid.UUID, str, Path]:
    """Return id, relative path and folder of an artefact to be written; the folder does not exist yet."""
    identity = uuid.uuid4()
    path = f"{purpose}/{identity}"
    return identity, path, Path(settings.ARTIFACT_ROOT) / path


def register_artifact(
    *,
    identity: uuid.UUID,
    path: str,
    purpose: str,
    engine: str,
    run: Run,
    at: datetime,
    parameters: dict[str, Any],
    metrics: dict[str, Any],
    learning_curve: list[Any] | None = None,
    data_from: date | None = None,
    data_to: date | None = None,
    seed: int = 0,
    steps: int = 0,
    scope: str = "all",
) -> Artifact:
    """Create the row of a finished folder. Call it inside the run's fence: the row makes it visible."""
    folder = Path(settings.ARTIFACT_ROOT) / path
    return Artifact.objects.create(
        id=identity,
        purpose=purpose,
        scope=scope,
        engine=engine,
        path=path,
        manifest_sha256=hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest(),
        size_bytes=sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()),
        parameters=parameters,
        metrics=metrics,
        learning_curve=learning_curve or [],
        data_from=data_from,
        data_to=data_to,
        seed=seed,
        steps=steps,
        run=run,
        created_at=at,
    )


def champion(*, purpose: str, scope: str = "all") -> Artifact | None:
    return Artifact.objects.filter(purpose=purpose, scope=scope, is_champion=True).first()


@transaction.atomic
def decide_champion(*, artifact: Artifact, serves: bool, decision: str, at: datetime) -> Artifact:
    """Record why a model serves or not; where it does, the former one steps back in the same transaction."""
    if serves:
        Artifact.objects.select_for_update().filter(
            purpose=artifact.purpose, scope=artifact.scope, is_champion=True
        ).exclude(pk=artifact.pk).update(is_champion=False)
    artifact.is_champion = serves
    artifact.decision = decision
    artifact.decided_at = at
    artifact.save(update_fields=["is_champion", "decision", "decided_at"])
    return artifact


def prune_artifacts(*, purpose: str, keep: int) -> int:
    """Delete all but the latest `keep` models of a purpose (never one that serves), and folders without a row.

    Rows go first: a folder without a row is invisible and is swept by the next call if this one is cut off.
    """
    latest = Artifact.objects.filter(purpose=purpose).order_by("-created_at")
    kept = set(latest.values_list("pk", flat=True)[:keep])
    old = Artifact.objects.filter(purpose=purpose, is_champion=False).exclude(pk__in=kept)
    root = Path(settings.ARTIFACT_ROOT)
    unused = [root / path for path in old.values_list("path", flat=True)]
    old.delete()
    known = set(Artifact.objects.filter(purpose=purpose).values_list("path", flat=True))
    yesterday = (
        time.time() - 86_400
    )  # a younger folder may belong to a training that is about to end
    for folder in (root / purpose).iterdir():
        if str(folder.relative_to(root)) not in known and folder.stat().st_mtime < yesterday:
            unused.append(folder)
    for folder in unused:
        shutil.rmtree(folder, ignore_errors=True)
    return len(unused)
