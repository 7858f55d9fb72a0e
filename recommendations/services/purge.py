"""Executor of the run kind "recommend.purge"."""

from typing import Any

from catalog.services.run_context import RunContext
from recommendations.services.forgetting import purge_orphans
from recommendations.services.visitors import purge_expired


def execute_purge(context: RunContext) -> dict[str, Any]:
    return {**purge_expired(at=context.at), "of_forgotten_visitors": purge_orphans()}
