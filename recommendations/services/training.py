"""Train the recommender: compare on a time split, then let the best one serve if it does not lose.

Run kind "recommend.train". Parameters: "engines" (names of the registry, default ENGINES), "days" of history.
"""

import dataclasses
import hashlib
import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from catalog.services.run_context import RunContext
from forecasting.engine.artifact_store import MANIFEST
from forecasting.models import Artifact
from recommendations.engine import registry
from recommendations.engine.base import Recommender
from recommendations.engine.evaluation import (
    Scores,
    Split,
    Task,
    evaluate,
    next_basket_split,
    novel_cases,
)
from recommendations.selectors.training import TrainingFrames, training_frames
from recommendations.services.model_store import (
    KEPT_MODELS,
    artifact_folder,
    champion_artifact,
    model_store,
)

ENGINES = ("blend", "item_knn", "recent_popularity")
HISTORY_DAYS = 730
TARGET_DAYS = 30
MIN_ITEM_EVENTS = 5
MIN_CASES = 20
TASK: Task = "novel"
MEASURE = "ndcg@10"


@dataclass(frozen=True)
class Contest:
    """Who was compared on which split, and who won."""

    cut: datetime | None
    n_cases: int
    scores: Mapping[str, Scores]
    winner: str
    decision: str
    promote: bool


def execute_train(context: RunContext) -> dict[str, Any]:
    """Executor of "recommend.train"; returns what the run page shows."""
    engines = _engines(context.parameters)
    context.progress(0.02, _("Reading sales and events"))
    frames = training_frames(
        until=context.at, days=int(context.parameters.get("days", HISTORY_DAYS))
    )
    if frames.events.empty:
        raise ValidationError(
            _("There are no sales or events to learn from."), code="nothing_to_learn_from"
        )
    contest = hold_contest(context, frames, engines)
    context.progress(0.8, _("Training %(model)s on all data") % {"model": contest.winner})
    recommender = registry.build(contest.winner)
    recommender.fit(frames.events, frames.items)
    recommender.notes = {"region_trend": frames.region_trend}
    context.progress(0.95, _("Writing the model"))
    artifact = publish(context, recommender, frames, contest)
    return {
        "artifact": str(artifact.pk),
        "engine": contest.winner,
        "serves": artifact.is_champion,
        "decision": contest.decision,
        "events": len(frames.events),
        "cases": contest.n_cases,
        "measures": {name: _summary(scores) for name, scores in contest.scores.items()},
    }


def _engines(parameters: Mapping[str, Any]) -> tuple[str, ...]:
    engines = tuple(parameters.get("engines") or ENGINES)
    unknown = [name for name in engines if name not in registry.RECOMMENDERS]
    if unknown:
        raise ValidationError(
            _("Expected recommenders among %(known)s, received: %(names)s."),
            code="unknown_recommender",
            params={
                "known": ", ".join(sorted(registry.RECOMMENDERS)),
                "names": ", ".join(unknown),
            },
        )
    return engines


def hold_contest(context: RunContext, frames: TrainingFrames, engines: Sequence[str]) -> Contest:
    """Fit every engine, and the one that serves, before a cut; compare them on the next baskets after it."""
    incumbent = champion_artifact()
    names = list(dict.fromkeys([*engines, *([incumbent.engine] if incumbent else [])]))
    names = [name for name in names if name in registry.RECOMMENDERS]
    split, cut = _split(frames)
    n_cases = len(novel_cases(split.cases))
    if n_cases < MIN_CASES:
        decision = _(
            "Only %(count)d customers bought something new after the cut: too few to compare models."
        ) % {"count": n_cases}
        # Without a comparison nobody is displaced by another engine.
        name = incumbent.engine if incumbent else engines[0]
        return Contest(None, n_cases, {}, name, decision, promote=True)
    scores: dict[str, Scores] = {}
    for position, name in enumerate(names):
        context.progress(
            0.1 + 0.7 * position / len(names), _("Comparing %(model)s") % {"model": name}
        )
        model = registry.build(name).fit(split.training, split.items)
        scores[name] = evaluate(model, split.cases, TASK)
    best = max(engines, key=lambda name: scores[name].means[MEASURE])
    decision, promote = judge(scores, best, incumbent.engine if incumbent else None)
    return Contest(cut, scores[best].n_cases, scores, best, decision, promote)


def judge(scores: Mapping[str, Scores], best: str, incumbent: str | None) -> tuple[str, bool]:
    """Return the decision in words and whether `best` may serve: it may not lose to the incumbent.

    Losing = the paired difference of nDCG@10 on the same customers lies more than one standard error below 0.
    """
    value = scores[best].means[MEASURE]
    if incumbent is None:
        return _("%(model)s serves: nDCG@10 %(value).4f, the first model.") % {
            "model": best, "value": value
        }, True  # fmt: skip
    if best == incumbent:
        return _("%(model)s goes on serving with newer data: nDCG@10 %(value).4f.") % {
            "model": best, "value": value
        }, True  # fmt: skip
    difference, error = scores[best].difference(scores[incumbent], MEASURE)
    words = {"model": best, "incumbent": incumbent, "difference": difference, "error": error}
    if difference < -error:
        return _(
            "%(model)s does not serve: %(difference)+.4f nDCG@10 against %(incumbent)s "
            "(standard error %(error).4f)."
        ) % words, False
    return _(
        "%(model)s serves: %(difference)+.4f nDCG@10 against %(incumbent)s (standard error %(error).4f)."
    ) % words, True


def _split(frames: TrainingFrames) -> tuple[Split, datetime]:
    last: datetime = frames.events["at"].max().to_pydatetime()
    cut = last - timedelta(days=TARGET_DAYS)
    # A young shop has few events per item; what was sold once is then all there is.
    per_item = len(frames.events) / max(frames.events["item"].nunique(), 1)
    split = next_basket_split(
        frames.events,
        cut,
        TARGET_DAYS + 1,
        MIN_ITEM_EVENTS if per_item >= 2 * MIN_ITEM_EVENTS else 1,
    )
    return split, cut


def publish(
    context: RunContext, recommender: Recommender, frames: TrainingFrames, contest: Contest
) -> Artifact:
    """Write the folder, then the row that makes it visible, then move the champion flag; prune old ones."""
    artifact_id = uuid.uuid4()
    path = f"recommender/{artifact_id}"
    folder = settings.ARTIFACT_ROOT / path
    recommender.save(folder)
    first, last = frames.events["at"].min(), frames.events["at"].max()
    files = [entry for entry in folder.iterdir() if entry.is_file()]
    try:
        with context.fenced():
            if contest.promote:
                Artifact.objects.filter(
                    purpose=Artifact.Purpose.RECOMMENDER, scope="all", is_champion=True
                ).update(is_champion=False)
            artifact = Artifact.objects.create(
                id=artifact_id,
                purpose=Artifact.Purpose.RECOMMENDER,
                engine=recommender.name,
                path=path,
                manifest_sha256=hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest(),
                size_bytes=sum(entry.stat().st_size for entry in files),
                parameters=dataclasses.asdict(recommender.params),
                metrics={
                    "task": TASK,
                    "cut": contest.cut.isoformat() if contest.cut else None,
                    "cases": contest.n_cases,
                    "models": {name: _summary(scores) for name, scores in contest.scores.items()},
                },
                data_from=first.date(),
                data_to=last.date(),
                run=context.run,
                created_at=context.at,
                is_champion=contest.promote,
                decided_at=context.at,
                decision=contest.decision,
            )
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    model_store.forget()
    prune_models()
    return artifact


def prune_models() -> int:
    """Delete all but the model that serves and the latest ones before it; return how many went."""
    artifacts = list(
        Artifact.objects.filter(purpose=Artifact.Purpose.RECOMMENDER).order_by(
            "-is_champion", "-created_at"
        )
    )
    for artifact in artifacts[KEPT_MODELS:]:
        artifact.delete()
        shutil.rmtree(artifact_folder(artifact), ignore_errors=True)
    return len(artifacts[KEPT_MODELS:])


@transaction.atomic
def promote_model(*, artifact_id: uuid.UUID, reason: str, at: datetime) -> Artifact:
    """Let a kept model serve again, as after a bad night; the reason is kept with it."""
    artifact = Artifact.objects.select_for_update().get(
        pk=artifact_id, purpose=Artifact.Purpose.RECOMMENDER
    )
    Artifact.objects.filter(
        purpose=Artifact.Purpose.RECOMMENDER, scope=artifact.scope, is_champion=True
    ).update(is_champion=False)
    artifact.is_champion, artifact.decided_at, artifact.decision = True, at, reason
    artifact.save(update_fields=["is_champion", "decided_at", "decision"])
    transaction.on_commit(model_store.forget)
    return artifact


def _summary(scores: Scores) -> dict[str, float]:
    return {
        **{name: round(value, 4) for name, value in scores.means.items()},
        "se": round(scores.errors[MEASURE], 4),
        "coverage@20": round(scores.coverage, 4),
    }
