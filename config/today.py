"""Today: the state of planning, and what waits, each figure a link to its rows."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from catalog.models import Run
from catalog.runs import schedules
from catalog.selectors.runs import latest_run, queue_ages
from catalog.views.base import Page
from forecasting.models import Artifact
from inventory.selectors.pages import data_freshness, urgency_values
from inventory.selectors.scope import scope_of
from inventory.selectors.suggestions import today_counts

STALE_AFTER_DAYS = 3
SUGGEST = "orders.suggest"


@dataclass(frozen=True)
class Tile:
    """A count, its money by currency, and where its rows are."""

    label: str | Promise
    count: int
    address: str
    icon: str
    colour: str
    money: list[tuple[str, Any]]
    note: str | Promise = ""


class Today(Page):
    """For everybody who is logged in; what a person may not see counts as nothing here."""

    permission_required = ()
    template_name = "pages/today.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        if not self.request.user.has_perm("inventory.view_suggestion"):
            return {**context, "may_plan": False}
        scope = scope_of(self.request.user)
        counts = today_counts(scope=scope, today=context["today"])
        by_urgency = urgency_values(scope=scope)
        fresh = data_freshness(scope=scope)
        behind = (context["today"] - fresh["demand_day"]).days if fresh["demand_day"] else None
        return {
            **context,
            "may_plan": True,
            "order_tiles": order_tiles(by_urgency),
            "other_tiles": other_tiles(counts, by_urgency),
            "counts": counts,
            "last_plan": latest_run(kind=SUGGEST, state=Run.State.SUCCEEDED),
            "latest_plan": latest_run(kind=SUGGEST),
            "next_plan": next_plan(self.at),
            "fresh": fresh,
            "days_behind": behind,
            "is_stale": behind is None or behind > STALE_AFTER_DAYS,
            "champion": Artifact.objects.filter(purpose="demand", is_champion=True).first(),
            "idle_queues": [
                one for one in queue_ages(at=self.at) if one.waiting and not one.workers
            ],
        }


def order_tiles(by_urgency: dict[str, dict[str, Any]]) -> list[Tile]:
    rows = reverse("suggestions")
    shown = [
        ("stocked_out", _("Stocked out"), "circle-x", "black", _("nothing on hand, demand goes on")),
        ("too_late", _("Runs out before delivery"), "alert-triangle", "red",
         _("even if ordered today")),
        ("today", _("Order today"), "flame", "orange", _("later would be too late")),
        ("this_week", _("Order this week"), "calendar-time", "blue", ""),
        ("later", _("Later"), "clock", "secondary", ""),
    ]  # fmt: skip
    tiles = []
    for urgency, label, icon, colour, note in shown:
        entry = by_urgency.get(urgency, {"count": 0, "values": []})
        tiles.append(
            Tile(
                label=label,
                count=entry["count"],
                address=f"{rows}?urgency={urgency}",
                icon=icon,
                colour=colour,
                money=entry["values"],
                note=note,
            )
        )
    return tiles


def other_tiles(counts: Any, by_urgency: dict[str, dict[str, Any]]) -> list[Tile]:
    rows, purchase = reverse("suggestions"), reverse("purchase-orders")
    assumed = sum(entry["assumed"] for entry in by_urgency.values())
    waiting = counts.awaiting_second_approval + counts.orders_awaiting_approval
    return [
        Tile(_("Awaiting second approval"), waiting, reverse("approvals"), "users", "purple", [],
             _("lines and orders above a limit")),
        Tile(_("Late purchase orders"), counts.orders_late, f"{purchase}?state=late", "truck", "red",
             [], _("expected before today")),
        Tile(_("Drafts to submit"), counts.orders_in_draft, f"{purchase}?state=draft", "pencil",
             "blue", []),
        Tile(_("Orders to send"), counts.orders_to_send, f"{purchase}?state=approved", "send", "green",
             [], _("approved, not sent yet")),
        Tile(_("Withheld: data problems"), counts.withheld, f"{rows}?state=withheld", "lock",
             "orange", [], _("no supplier, no cost, …")),
        Tile(_("Assumed facts"), assumed, f"{rows}?assumed=yes", "help", "orange", [],
             _("lead time or cost from the defaults")),
        Tile(_("Discrepancies"), counts.oversold, f"{reverse('stock')}?show=oversold", "scale",
             "orange", [], _("sold more than the books had")),
        Tile(_("Snoozed"), counts.snoozed, f"{rows}?state=snoozed", "zzz", "secondary", []),
    ]  # fmt: skip


def next_plan(at: datetime) -> datetime | None:
    """When the scheduler will next insert the nightly plan."""
    due = [one.last_due(at) + timedelta(days=7 if one.weekday is not None else 1)
           for one in schedules() if one.kind == "plan"]  # fmt: skip
    return min(due, default=None)
