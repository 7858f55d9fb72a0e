"""The model that serves: the champion of the database, loaded once per process and swapped whole."""

import logging
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DatabaseError

from forecasting.engine.artifact_store import ArtifactError
from forecasting.models import Artifact
from recommendations.engine import registry
from recommendations.engine.base import Recommender

logger = logging.getLogger(__name__)
POLL_SECONDS = 30.0
KEPT_MODELS = 3


@dataclass(frozen=True, eq=False)
class LiveModel:
    """One loaded champion. `version` is the id of its artefact."""

    version: str
    engine: str
    recommender: Recommender
    notes: dict[str, Any] = field(default_factory=dict)


class ModelStore:
    """Looks at the champion flag every POLL_SECONDS; readers always hold one immutable object.

    A champion that cannot be loaded leaves the previous one in place: a broken folder must not empty a shop window.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._live: LiveModel | None = None
        self._next_look = 0.0

    def current(self) -> LiveModel | None:
        """Return the model that serves, or None where there is none to be had."""
        if time.monotonic() < self._next_look or not self._lock.acquire(
            blocking=self._live is None
        ):
            return self._live
        try:
            if time.monotonic() >= self._next_look:
                self._look()
                self._next_look = time.monotonic() + POLL_SECONDS
        finally:
            self._lock.release()
        return self._live

    def forget(self) -> None:
        """Look again at the next request, as after a promotion in this process."""
        with self._lock:
            self._live, self._next_look = None, 0.0

    def _look(self) -> None:
        try:
            champion = champion_artifact()
        except DatabaseError as error:
            logger.warning("The champion of the recommender cannot be read: %s", error)
            return
        if champion is None:
            self._live = None
        elif self._live is None or self._live.version != str(champion.pk):
            self._load(champion)

    def _load(self, champion: Artifact) -> None:
        folder = artifact_folder(champion)
        try:
            recommender = registry.load(folder)
        except (ArtifactError, OSError, ValueError, KeyError) as error:
            logger.error("The recommender %s cannot be loaded: %s", champion.pk, error)
            return
        self._live = LiveModel(
            str(champion.pk), champion.engine, recommender, dict(recommender.notes)
        )
        logger.info("Recommender %s (%s) serves now", champion.pk, champion.engine)


def champion_artifact() -> Artifact | None:
    return Artifact.objects.filter(
        purpose=Artifact.Purpose.RECOMMENDER, scope="all", is_champion=True
    ).first()


def artifact_folder(artifact: Artifact) -> Path:
    return Path(settings.ARTIFACT_ROOT) / artifact.path


model_store = ModelStore()
