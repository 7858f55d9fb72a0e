"""Composition root: settings, URLs, Celery, navigation, roles, operator commands."""

from config.celery import app as celery_app

__all__ = ["celery_app"]
