"""Runs: what works in the background, how far it is, what came of it."""

import json
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from catalog import tasks
from catalog.models import Run
from catalog.runs import run_label
from catalog.selectors.runs import ENDED, chain_runs, queue_ages, run_list
from catalog.services import runs as run_services
from catalog.views.base import Guarded, ListPage, Page
from forecasting.filters.runs import RunFilter
from forecasting.models import Artifact, Backtest
from forecasting.services.planning import start_plan
from forecasting.tables.runs import RunTable
from forecasting.views.curves import backtest_table, learning_curve


class RunList(ListPage):
    permission_required = "catalog.view_run"
    template_name = "forecasting/runs/list.html"
    table_class = RunTable
    filterset_class = RunFilter
    title = _("Runs")
    empty_text = _("Runs appear when a plan, a training or an import is started.")

    def get_queryset(self) -> QuerySet[Run]:
        return run_list(with_routine=bool(self.request.GET.get("kind")))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        for run in context["table"].paginated_rows.data:
            run.label = run_label(run.kind)
        return {**context, "queues": queue_ages(at=self.at)}


class RunDetail(Page):
    permission_required = "catalog.view_run"
    template_name = "forecasting/runs/detail.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        run = get_object_or_404(run_list(), pk=kwargs["pk"])
        artifacts = list(Artifact.objects.filter(run=run))
        backtests = list(Backtest.objects.filter(run=run))
        chain = list(chain_runs(chain=run.chain))
        for one in chain:
            one.label = run_label(one.kind)
        return {
            **context,
            "run": run,
            "label": run_label(run.kind),
            "has_ended": run.state in ENDED,
            "chain": chain if len(chain) > 1 else [],
            "artifacts": artifacts,
            "curves": [(f"curve-{n}", learning_curve(one)) for n, one in enumerate(artifacts)],
            "backtests": [(one, backtest_table(one)) for one in backtests],
            "parameters": json.dumps(run.parameters, indent=1, ensure_ascii=False),
            "result": json.dumps(run.result, indent=1, ensure_ascii=False) if run.result else "",
            "may_change": self.request.user.has_perm("catalog.change_run"),
        }


class RunProgress(Guarded):
    """The progress of one run as a fragment; asked again every two seconds until it has ended."""

    permission_required = "catalog.view_run"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        run = get_object_or_404(run_list(), pk=pk)
        context = {"run": run, "has_ended": run.state in ENDED, "now": self.at}
        response = render(request, "forecasting/runs/progress.html", context)
        if run.state in ENDED and request.GET.get("was") not in ENDED:
            response["HX-Refresh"] = "true"  # results, curve and buttons of the page have changed
        return response


class RunAct(Guarded):
    """POST: cancel a run, or queue a failed one again."""

    permission_required = "catalog.change_run"

    def post(self, request: HttpRequest, pk: int, action: str) -> HttpResponse:
        if action not in ("cancel", "retry"):
            raise Http404
        get_object_or_404(Run, pk=pk)
        try:
            if action == "cancel":
                run = run_services.request_cancel(run_id=pk, by=request.user, at=self.at)
                text = (
                    _now("The run is cancelled.")
                    if run.state == Run.State.CANCELLED
                    else _now("The run will stop at its next step.")
                )
            else:
                run = run_services.retry_run(run_id=pk, by=request.user, at=self.at)
                tasks.deliver(run)
                text = _now("The run is queued again.")
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        else:
            messages.success(request, text)
        return redirect("run", pk=pk)


class PlanNow(Guarded):
    """POST: queue the planning chain now."""

    permission_required = "catalog.add_run"

    def post(self, request: HttpRequest) -> HttpResponse:
        try:
            chain = start_plan(at=self.at, by=request.user)
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
            return redirect("today")
        tasks.deliver(chain[0])
        messages.success(request, _now("The plan is queued."))
        return redirect("run", pk=chain[0].pk)
