"""Query and body fields as typed values; everything wrong is told at once, by field."""

from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.translation import gettext as _
from rest_framework.exceptions import ErrorDetail, ValidationError

from recommendations.selectors.history import Person
from recommendations.services.serving import MAX_ITEMS, ListRequest

MAX_IDS = 200
DEFAULT_LIMIT = 20


def without_nul(text: str) -> str:
    """PostgreSQL refuses the character NUL; no code contains one."""
    return text.replace("\x00", "")


class Fields:
    """Reads named values from a query string or a JSON object."""

    def __init__(self, values: Mapping[str, Any], prefix: str = "") -> None:
        self._values = values
        self._prefix = prefix
        self.errors: dict[str, list[ErrorDetail]] = {}

    def part(self, name: str) -> "Fields":
        """The object under `name`; an absent one is empty."""
        value = self._values.get(name)
        if value is not None and not isinstance(value, Mapping):
            self.fail(name, "invalid", _("Expected an object."))
            value = None
        part = Fields(value or {}, f"{self._prefix}{name}.")
        part.errors = self.errors
        return part

    def fail(self, name: str, code: str, message: str) -> None:
        self.errors.setdefault(self._prefix + name, []).append(ErrorDetail(message, code))

    def check(self) -> None:
        if self.errors:
            raise ValidationError(self.errors)

    def text(self, *names: str, limit: int = 64) -> str:
        """The first of the names that is given; the others are older spellings."""
        for name in names:
            value = self._values.get(name)
            if value is None or value == "":
                continue
            if isinstance(value, bool) or not isinstance(value, str | int):
                self.fail(name, "invalid", _("Expected text."))
            elif len(str(value)) > limit:
                self.fail(
                    name,
                    "max_length",
                    _("Expected at most %(limit)d characters.") % {"limit": limit},
                )
            else:
                return without_nul(str(value))
        return ""

    def texts(self, *names: str, limit: int = 60) -> tuple[str, ...]:
        """A list of texts, or one text with commas between; repeated ones count once."""
        for name in names:
            value = self._values.get(name)
            if value is None or value == "":
                continue
            parts: Iterable[Any] = value.split(",") if isinstance(value, str) else value
            if not isinstance(parts, list):
                self.fail(name, "invalid", _("Expected a list of texts."))
                return ()
            texts = [
                without_nul(str(part)).strip() for part in parts if isinstance(part, str | int)
            ]
            if len(texts) != len(parts) or any(len(text) > limit for text in texts):
                self.fail(name, "invalid", _("Expected a list of texts."))
                return ()
            if len(texts) > MAX_IDS:
                message = _("Expected at most %(limit)d entries.") % {"limit": MAX_IDS}
                self.fail(name, "max_length", message)
                return ()
            return tuple(dict.fromkeys(text for text in texts if text))
        return ()

    def whole(self, *names: str, low: int, high: int, default: int) -> int:
        for name in names:
            value = self._values.get(name)
            if value is None or value == "":
                continue
            text = "" if isinstance(value, bool | float) else str(value)
            if text.isdecimal() and len(text) < 10 and low <= int(text) <= high:
                return int(text)
            message = _("Expected a whole number from %(low)d to %(high)d.")
            self.fail(name, "invalid", message % {"low": low, "high": high})
        return default

    def amount(self, name: str) -> Decimal | None:
        value = self._values.get(name)
        if value is None or value == "":
            return None
        try:
            amount = Decimal("NaN") if isinstance(value, bool) else Decimal(str(value))
        except InvalidOperation:
            amount = Decimal("NaN")
        if not amount.is_finite() or amount < 0:
            self.fail(name, "invalid", _("Expected an amount of money, as text or number."))
            return None
        return amount

    def flag(self, name: str, *, default: bool = False) -> bool:
        value = self._values.get(name)
        if value is None or value == "":
            return default
        if value in (True, "true", "1"):
            return True
        if value not in (False, "false", "0"):
            self.fail(name, "invalid", _("Expected true or false."))
        return False

    def person(self) -> Person:
        return Person(
            customer_key=self.text("user_id", "user"),
            visitor_key=self.text("visitor_id", "visitor"),
            session_key=self.text("session_id", "session"),
        )


def read_query(query: Mapping[str, Any], *, kind: str, seed: str = "") -> ListRequest:
    """Read the query string of a GET endpoint. Raises ValidationError with the errors by field."""
    fields = Fields(query)
    request = ListRequest(
        kind=kind,
        placement=fields.text("placement", limit=40) or kind.replace("_", "-"),
        limit=fields.whole("limit", "n", low=1, high=MAX_ITEMS, default=DEFAULT_LIMIT),
        person=fields.person(),
        seeds=(seed,) if seed else (),
        cart=fields.texts("cart"),
        exclude=fields.texts("exclude"),
        category_codes=fields.texts("category"),
        region_code=fields.text("region", limit=40),
        channel=fields.text("channel", limit=24) or "shop",
        price_min=fields.amount("price_min"),
        price_max=fields.amount("price_max"),
        include_purchased=fields.flag("include_purchased"),
    )
    fields.check()
    return request


def read_placement(body: Any) -> tuple[ListRequest, bool]:
    """Read the body of the placement endpoint; return the request and whether it is only to be checked."""
    if not isinstance(body, Mapping):
        raise ValidationError({"": [ErrorDetail(_("Expected an object."), "not_an_object")]})
    fields = Fields(body)
    context, filters, options = (fields.part(name) for name in ("context", "filters", "options"))
    placement = fields.text("placement", limit=40) or "home"
    seeds = context.texts("product_ids")
    category = context.text("category_id", limit=40)
    request = ListRequest(
        kind=kind_of_placement(placement, has_seeds=bool(seeds)),
        placement=placement,
        limit=fields.whole("limit", low=1, high=MAX_ITEMS, default=DEFAULT_LIMIT),
        person=fields.person(),
        seeds=seeds,
        cart=context.texts("cart_product_ids"),
        exclude=filters.texts("exclude_product_ids"),
        category_codes=filters.texts("category_ids") or ((category,) if category else ()),
        region_code=context.text("region", limit=40),
        channel=context.text("channel", limit=24) or "shop",
        price_min=filters.amount("price_min"),
        price_max=filters.amount("price_max"),
        include_purchased=filters.flag("include_purchased"),
    )
    is_check_only = options.flag("validate_only")
    fields.check()
    return request, is_check_only


def kind_of_placement(placement: str, *, has_seeds: bool) -> str:
    """A placement about trends shows trends, one about products shows their neighbours, others what fits the person."""
    if placement.startswith(("trending", "best")):
        return "trending"
    return "similar" if has_seeds and not placement.startswith(("home", "for")) else "for_you"
