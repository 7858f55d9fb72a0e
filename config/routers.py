"""Keeps high-traffic, losable rows (storefront events, shown lists, counters) off the main SQLite file.

A model that declares ``edge = True`` lives in the ``edge`` database when one is configured (SQLite: one
writer at a time, so a burst of events must not hold up an approval). On PostgreSQL there is one database.
"""

from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import models


class EdgeRouter:
    def _alias(self, model: type[models.Model]) -> str:
        is_edge = getattr(model, "edge", False) and "edge" in settings.DATABASES
        return "edge" if is_edge else "default"

    def db_for_read(self, model: type[models.Model], **hints: Any) -> str:
        return self._alias(model)

    def db_for_write(self, model: type[models.Model], **hints: Any) -> str:
        return self._alias(model)

    def allow_relation(self, obj1: models.Model, obj2: models.Model, **hints: Any) -> bool:
        return self._alias(type(obj1)) == self._alias(type(obj2))

    def allow_migrate(
        self, db: str, app_label: str, model_name: str | None = None, **hints: Any
    ) -> bool:
        model = None
        if model_name is not None:
            # the model of today: the historical one that a migration holds does not know where it lives
            try:
                model = apps.get_model(app_label, model_name)
            except LookupError:
                model = hints.get("model")
        if model is None:  # RunSQL and RunPython of our migrations belong to the main database
            return db == "default"
        return db == self._alias(model)
