"""Template tags of the pages: icons, numbers with units, badges that never speak by colour alone."""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django import template
from django.http import HttpRequest
from django.templatetags.static import static
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

register = template.Library()

CURRENCY_SIGNS = {"EUR": "€", "GBP": "£", "USD": "$", "CNY": "CN¥", "JPY": "JP¥"}
DASH = "–"

# value → (colour of the badge, icon); the text comes from the model's choices
BADGES: dict[str, dict[str, tuple[str, str]]] = {
    "urgency": {
        "stocked_out": ("black", "circle-x"),
        "too_late": ("red", "alert-triangle"),
        "today": ("orange", "flame"),
        "this_week": ("blue", "calendar-time"),
        "later": ("secondary", "clock"),
    },
    "confidence": {
        "high": ("green", "circle-check"),
        "medium": ("yellow", "circle-dashed"),
        "low": ("orange", "help"),
    },
    "state": {
        "open": ("blue", "point"),
        "snoozed": ("secondary", "zzz"),
        "withheld": ("orange", "lock"),
        "awaiting_second_approval": ("purple", "users"),
        "awaiting_approval": ("purple", "users"),
        "approved": ("green", "check"),
        "overridden": ("teal", "pencil"),
        "converted": ("green", "shopping-cart"),
        "conversion_failed": ("red", "alert-triangle"),
        "rejected": ("secondary", "x"),
        "superseded": ("secondary", "history"),
        "expired": ("secondary", "hourglass"),
        "draft": ("secondary", "pencil"),
        "sent": ("blue", "send"),
        "part_received": ("yellow", "transfer-in"),
        "received": ("green", "package"),
        "closed_short": ("secondary", "minus"),
        "acknowledged": ("teal", "circle-check"),
        "closed": ("secondary", "archive"),
        "on_hold": ("orange", "player-pause"),
        "placed": ("blue", "shopping-cart"),
        "paid": ("teal", "cash"),
        "part_shipped": ("yellow", "truck"),
        "shipped": ("green", "truck"),
        "returned": ("secondary", "arrow-back-up"),
        "in_transit": ("blue", "truck"),
        "posted": ("green", "check"),
        "used": ("green", "check"),
        "released": ("secondary", "lock-open"),
        "checked": ("teal", "circle-check"),
        "applying": ("blue", "loader"),
        "applied": ("green", "circle-check"),
        "done": ("green", "check"),
        "refused": ("red", "ban"),
        "unchanged": ("secondary", "equal"),
        "ignored": ("secondary", "minus"),
        "cancelled": ("secondary", "ban"),
        "queued": ("secondary", "clock"),
        "running": ("blue", "loader"),
        "succeeded": ("green", "circle-check"),
        "failed": ("red", "alert-circle"),
        "checking": ("blue", "loader"),
        "staging": ("blue", "loader"),
        "published": ("green", "circle-check"),
        "dry_run": ("yellow", "eye"),
        "new": ("blue", "sparkles"),
        "active": ("green", "check"),
        "phase_out": ("yellow", "trending-down"),
        "discontinued": ("secondary", "ban"),
    },
}


@register.simple_tag
def icon(name: str, classes: str = "") -> SafeString:
    """A drawing beside a text: hidden from screen readers."""
    return format_html(
        '<svg class="icon {}" aria-hidden="true"><use href="{}#{}"/></svg>',
        classes,
        static("vendor/icons.svg"),
        name,
    )


def _badge(family: str, value: str, label: str) -> SafeString:
    colour, drawing = BADGES[family].get(value, ("secondary", "point"))
    return format_html('<span class="badge tag-{}">{} {}</span>', colour, icon(drawing), label)


@register.simple_tag
def urgency_badge(suggestion: Any) -> SafeString:
    return _badge("urgency", suggestion.urgency, suggestion.get_urgency_display())


@register.simple_tag
def confidence_badge(suggestion: Any, *, alone: bool = False) -> SafeString:
    """The badge in a column of its name; ``alone`` says what is high or low."""
    label = suggestion.get_confidence_display()
    if alone:
        label = _("Confidence: %(level)s") % {"level": label.lower()}
    return _badge("confidence", suggestion.confidence, label)


@register.simple_tag
def state_badge(document: Any) -> SafeString:
    """The badge of anything with a ``state``: suggestions, orders, runs, imports."""
    return _badge("state", document.state, document.get_state_display())


@register.simple_tag
def choice_badge(record: Any, field: str) -> SafeString:
    return _badge("state", getattr(record, field), getattr(record, f"get_{field}_display")())


@register.simple_tag
def outcome_badge(outcome: str) -> SafeString:
    """What became of one row of a bulk decision."""
    colour, drawing, label = {
        "done": ("green", "check", _("Done")),
        "awaiting": ("purple", "users", _("Awaits second approval")),
        "refused": ("red", "x", _("Refused")),
        "stale": ("yellow", "refresh", _("Changed meanwhile")),
    }.get(outcome, ("secondary", "point", outcome))
    return format_html('<span class="badge tag-{}">{} {}</span>', colour, icon(drawing), label)


@register.simple_tag
def assumed_mark(label: str = "") -> SafeString:
    return format_html(
        '<span class="assumed" title="{}">{} {}</span>',
        _("From the planning defaults, not from data"),
        icon("help"),
        label or _("assumed"),
    )


@register.filter
def number(value: float | Decimal | None, places: int = 0) -> str:
    """A number with group separators of the reader's language."""
    if value is None or value == "":
        return DASH
    return formats.number_format(value, decimal_pos=int(places), force_grouping=True)


@register.filter
def signed(value: int | None) -> str:
    """A change: +12, −3, 0 (with a real minus sign, which lines up in tables)."""
    if value is None:
        return DASH
    text = formats.number_format(abs(value), force_grouping=True)
    return text if value == 0 else f"{'+' if value > 0 else '−'}{text}"


@register.filter
def money(value: Decimal | int | str | None, currency: str = "") -> str:
    """An amount with two places (four where they carry something) and its currency sign."""
    if value is None or value == "":
        return DASH
    amount = Decimal(str(value))
    places = 2 if amount == amount.quantize(Decimal("0.01")) else 4
    text = formats.number_format(abs(amount), decimal_pos=places, force_grouping=True)
    sign = CURRENCY_SIGNS.get(currency, f"{currency} " if currency else "")
    return f"{'−' if amount < 0 else ''}{sign}{text}"


@register.filter
def round_money(value: Decimal | None, currency: str = "") -> str:
    """A sum of money without its cents, for totals that are read at a glance."""
    if value is None:
        return DASH
    sign = CURRENCY_SIGNS.get(currency, f"{currency} " if currency else "")
    return f"{sign}{formats.number_format(round(value), force_grouping=True)}"


@register.filter
def percent(value: float | None, places: int = 0) -> str:
    """A share 0..1 as a percentage."""
    if value is None:
        return DASH
    return f"{formats.number_format(value * 100, decimal_pos=int(places))} %"


@register.filter
def day(value: date | datetime | str | None) -> str:
    """A day in its short form; the year stands only where it is not this one."""
    if not value:
        return DASH
    if isinstance(value, str):
        value = date.fromisoformat(value[:10])
    is_this_year = value.year == timezone.localdate().year
    return formats.date_format(value, _("j M") if is_this_year else _("j M Y"))


@register.filter
def age(value: datetime | None, now: datetime) -> str:
    """How long ago, in one unit: 4 min, 3 h, 2 d."""
    if value is None:
        return DASH
    seconds = max((now - value).total_seconds(), 0)
    if seconds < 90:
        return _("just now")
    if seconds < 5400:
        return _("%(n)d min ago") % {"n": round(seconds / 60)}
    if seconds < 129_600:
        return _("%(n)d h ago") % {"n": round(seconds / 3600)}
    days = round(seconds / 86_400)
    return ngettext("%(n)d day ago", "%(n)d days ago", days) % {"n": days}


@register.filter
def duration(seconds: float | None) -> str:
    if seconds is None:
        return DASH
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return _("%(h)d h %(m)02d min") % {"h": hours, "m": minutes}
    if minutes:
        return _("%(m)d min %(s)02d s") % {"m": minutes, "s": rest}
    return _("%(s)d s") % {"s": rest}


@register.filter
def run_duration(run: Any, now: datetime) -> str:
    """How long a run took, or has taken so far."""
    if run.started_at is None:
        return DASH
    return duration(((run.finished_at or now) - run.started_at).total_seconds())


@register.filter
def get_item(mapping: dict[Any, Any] | None, key: Any) -> Any:
    return (mapping or {}).get(key)


@register.filter
def times(left: Any, right: Any) -> Any:
    return None if left is None or right is None else left * right


@register.filter
def engine_label(name: str) -> str:
    """The name of a model or policy as people write it."""
    known = {
        "lstm": _("LSTM"), "plain_lstm": _("plain LSTM"), "seasonal_naive": _("seasonal naive"),
        "weekday_mean": _("weekday mean"), "moving_average": _("moving average"),
        "ets": _("exponential smoothing"), "sba": _("Croston (SBA)"), "tsb": _("TSB"),
        "imapa": _("IMAPA"), "q_learning": _("Q-learning"), "base_stock": _("base stock"),
        "s_S": _("(s, S)"), "newsvendor": _("newsvendor"),
    }  # fmt: skip
    return known.get(name, name.replace("_", " "))


@register.filter
def packs(quantity: int, size: int) -> str:
    """How many packs a quantity is; with a fraction where a person ordered beside the pack size."""
    whole, rest = divmod(quantity, size)
    return formats.number_format(whole) if rest == 0 else formats.number_format(quantity / size, 1)


@register.filter
def plain(value: Any) -> str:
    """A number for attributes that a script or a <progress> reads: never localised."""
    return "" if value is None else str(value)


@register.filter
def plain_number(value: Any) -> str:
    """A count or a measured number: whole ones without places, others with one."""
    if isinstance(value, float):
        return number(value, 1)
    return number(value) if isinstance(value, int) else str(value)


@register.filter
def is_in(value: str, listed: str) -> bool:
    return value in listed.split(",")


@register.simple_tag(takes_context=True)
def may(context: template.Context, *permissions: str) -> bool:
    """Whether the person may do it: ``{% may "inventory.decide_suggestion" as may_decide %}``."""
    request: HttpRequest = context["request"]
    return request.user.has_perms(permissions)


@register.simple_tag(takes_context=True)
def query(context: template.Context, **changes: Any) -> str:
    """The address's query with some values replaced (None = removed); the page number starts again."""
    values = context["request"].GET.copy()
    values.pop("page", None)
    for key, value in changes.items():
        if value is None:
            values.pop(key, None)
        elif isinstance(value, Iterable) and not isinstance(value, str):
            values.setlist(key, [str(one) for one in value])
        else:
            values[key] = str(value)
    return f"?{values.urlencode()}" if values else "?"


@register.simple_tag
def column_below(table: Any, column: Any) -> Any:
    """The column whose figure stands in the same cell, below; None where there is none."""
    name = table.below.get(column.name)
    return table.columns[name] if name else None


@register.simple_tag(takes_context=True)
def query_without(context: template.Context, name: str) -> str:
    """The address's query less one filter."""
    return query(context, **{name: None})


@register.inclusion_tag("parts/field.html")
def field(bound_field: Any, label: str = "", classes: str = "") -> dict[str, Any]:
    """A form field with label, help and errors tied to it for screen readers."""
    widget = bound_field.field.widget
    kind = getattr(widget, "input_type", "")
    css = {"checkbox": "form-check-input", "select": "form-select", "file": "form-control"}
    described = [f"{bound_field.auto_id}-errors"] if bound_field.errors else []
    if bound_field.help_text:
        described.append(f"{bound_field.auto_id}-help")
    attributes = {
        "class": css.get(kind, "form-control") + (" is-invalid" if bound_field.errors else "")
    }
    if described:
        attributes["aria-describedby"] = " ".join(described)
    return {
        "field": bound_field,
        "control": bound_field.as_widget(attrs={**widget.attrs, **attributes}),
        "label": label or bound_field.label,
        "classes": classes,
        "is_checkbox": kind == "checkbox",
    }
