"""Suggested orders, what people decided about them, and the limits of deciding."""

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from catalog.fields import MoneyField
from catalog.models import Product, Supplier
from inventory.models.warehouse import Warehouse


class ReasonCode(models.Model):
    """Why a person decides differently, or writes a stock document. The list is the company's own."""

    class Purpose(models.TextChoices):
        DECISION = "decision", _("Decisions on suggestions")
        STOCK = "stock", _("Stock documents")

    purpose = models.CharField(
        _("used for"), max_length=12, choices=Purpose.choices, default=Purpose.DECISION
    )
    code = models.SlugField(_("code"), unique=True)
    label = models.CharField(_("label"), max_length=80)
    note_required = models.BooleanField(_("note required"), default=False)
    is_active = models.BooleanField(_("active"), default=True)
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    class Meta:
        verbose_name = _("reason code")
        verbose_name_plural = _("reason codes")
        ordering = ["position", "label"]

    def __str__(self) -> str:
        return self.label


class Suggestion(models.Model):
    """A proposal to buy (or move, or return) a quantity; a person approves, overrides or rejects it.

    ``rationale`` is the immutable record of how the quantity came about: inputs, waterfall, curves.
    """

    class Kind(models.TextChoices):
        BUY = "buy", _("Buy")
        TRANSFER = "transfer", _("Transfer")
        RETURN = "return", _("Return to supplier")

    class State(models.TextChoices):
        OPEN = "open", _("Open")
        SNOOZED = "snoozed", _("Snoozed")
        WITHHELD = "withheld", _("Withheld")
        AWAITING_SECOND_APPROVAL = "awaiting_second_approval", _("Awaiting second approval")
        APPROVED = "approved", _("Approved")
        OVERRIDDEN = "overridden", _("Overridden")
        CONVERTED = "converted", _("Ordered")
        CONVERSION_FAILED = "conversion_failed", _("Ordering failed")
        REJECTED = "rejected", _("Rejected")
        SUPERSEDED = "superseded", _("Superseded")
        EXPIRED = "expired", _("Expired")

    class Urgency(models.TextChoices):
        STOCKED_OUT = "stocked_out", _("Stocked out")
        TOO_LATE = "too_late", _("Runs out before delivery")
        TODAY = "today", _("Order today")
        THIS_WEEK = "this_week", _("Order this week")
        LATER = "later", _("Later")

    class Confidence(models.TextChoices):
        HIGH = "high", _("High")
        MEDIUM = "medium", _("Medium")
        LOW = "low", _("Low")

    LIVE_STATES = (
        "open",
        "snoozed",
        "withheld",
        "awaiting_second_approval",
        "approved",
        "overridden",
    )

    kind = models.CharField(_("kind"), max_length=12, choices=Kind.choices, default=Kind.BUY)
    product = models.ForeignKey(Product, models.PROTECT, related_name="suggestions")
    warehouse = models.ForeignKey(Warehouse, models.PROTECT, related_name="suggestions")
    source_warehouse = models.ForeignKey(
        Warehouse,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("from warehouse"),
    )
    supplier = models.ForeignKey(
        Supplier,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="suggestions",
        verbose_name=_("supplier"),
    )
    state = models.CharField(_("state"), max_length=28, choices=State.choices, default=State.OPEN)
    urgency = models.CharField(_("urgency"), max_length=16, choices=Urgency.choices)
    urgency_rank = models.PositiveSmallIntegerField(_("urgency rank"), default=0, db_index=True)
    confidence = models.CharField(_("confidence"), max_length=8, choices=Confidence.choices)
    suggested_quantity = models.PositiveBigIntegerField(_("suggested quantity"))
    final_quantity = models.PositiveBigIntegerField(_("final quantity"), null=True, blank=True)
    min_order_quantity = models.PositiveIntegerField(_("minimum order quantity"), default=1)
    order_multiple = models.PositiveIntegerField(_("order multiple"), default=1)
    unit_cost = MoneyField(_("unit cost"))
    currency = models.CharField(_("currency"), max_length=3)
    uses_assumed_facts = models.BooleanField(_("lead time or cost is assumed"), default=False)
    order_by = models.DateField(_("order by"))
    expected_on = models.DateField(_("expected on"))
    stockout_on = models.DateField(_("projected stock-out"), null=True, blank=True)
    on_hand = models.PositiveBigIntegerField(_("on hand"), default=0)
    on_order = models.PositiveBigIntegerField(_("on order"), default=0)
    days_of_cover = models.FloatField(_("days of cover"), null=True, blank=True)
    expected_lost_margin = MoneyField(_("margin lost if not ordered"), default=0)
    why = models.CharField(_("why"), max_length=300, blank=True)
    withheld_reason = models.CharField(_("withheld because"), max_length=200, blank=True)
    origin = models.CharField(_("origin"), max_length=120)
    run_id = models.PositiveBigIntegerField(_("run"), null=True, blank=True)
    rationale = models.JSONField(_("rationale"), default=dict)
    latest_model_quantity = models.PositiveBigIntegerField(
        _("the model now says"),
        null=True,
        blank=True,
        help_text=_("Set by a later run on a row that a person has already touched."),
    )
    version = models.PositiveIntegerField(_("version"), default=1)
    created_at = models.DateTimeField(_("created at"))
    snoozed_until = models.DateField(_("snoozed until"), null=True, blank=True)
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("decided by"),
    )

    class Meta:
        verbose_name = _("suggested order")
        verbose_name_plural = _("suggested orders")
        ordering = ["urgency_rank", "-expected_lost_margin", "id"]
        permissions = [
            ("decide_suggestion", _("Can approve, override and reject suggestions")),
            ("second_approve_suggestion", _("Can give the second approval above limits")),
        ]
        indexes = [models.Index(fields=["state", "urgency_rank"], name="suggestion_queue")]
        constraints = [
            models.UniqueConstraint(
                fields=["product", "warehouse", "kind"],
                condition=Q(
                    state__in=(
                        "open",
                        "snoozed",
                        "withheld",
                        "awaiting_second_approval",
                        "approved",
                        "overridden",
                    )
                ),
                name="one_live_suggestion",
            ),
            models.CheckConstraint(
                condition=Q(min_order_quantity__gte=1) & Q(order_multiple__gte=1),
                name="suggestion_pack_sizes_positive",
            ),
            models.CheckConstraint(
                condition=Q(unit_cost__gte=0), name="suggestion_cost_not_negative"
            ),
            models.CheckConstraint(
                condition=~Q(
                    state__in=(
                        "awaiting_second_approval",
                        "approved",
                        "overridden",
                        "converted",
                        "rejected",
                    )
                )
                | Q(decided_by__isnull=False, decided_at__isnull=False),
                name="decided_suggestion_has_decider",
            ),
            models.CheckConstraint(
                condition=~Q(
                    state__in=("awaiting_second_approval", "approved", "overridden", "converted")
                )
                | Q(final_quantity__gt=0),
                name="ordered_suggestion_has_quantity",
            ),
            models.CheckConstraint(
                condition=~Q(state="withheld") | ~Q(withheld_reason=""), name="withheld_has_reason"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.suggested_quantity} × {self.product_id}"

    @property
    def quantity(self) -> int:
        """The quantity that counts now: the person's where there is one, else the suggested one."""
        return self.suggested_quantity if self.final_quantity is None else self.final_quantity


class Decision(models.Model):
    """One step that a person took on a suggestion. Append-only, like the ledger."""

    class Action(models.TextChoices):
        APPROVE = "approve", _("Approved")
        OVERRIDE = "override", _("Overridden")
        REJECT = "reject", _("Rejected")
        SNOOZE = "snooze", _("Snoozed")
        REOPEN = "reopen", _("Reopened")
        SECOND_APPROVE = "second_approve", _("Second approval given")
        SECOND_REJECT = "second_reject", _("Second approval refused")
        CHANGE_LINE = "change_line", _("Quantity changed on the order")
        REMOVE_LINE = "remove_line", _("Taken off the order")

    suggestion = models.ForeignKey(Suggestion, models.PROTECT, related_name="decisions")
    action = models.CharField(_("action"), max_length=16, choices=Action.choices)
    suggested_quantity = models.PositiveBigIntegerField(_("suggested quantity"))
    quantity = models.PositiveBigIntegerField(_("quantity"), null=True, blank=True)
    reason = models.ForeignKey(
        ReasonCode,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("reason"),
    )
    note = models.CharField(_("note"), max_length=300, blank=True)
    limit_exceeded = models.CharField(_("limit exceeded"), max_length=200, blank=True)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("by")
    )
    policy = models.ForeignKey(
        "inventory.AutoApprovalPolicy",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="decisions",
        verbose_name=_("approved automatically by"),
    )
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("decision")
        verbose_name_plural = _("decisions")
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(action__in=("override", "reject", "remove_line"))
                | Q(reason__isnull=False),
                name="override_has_reason",
            ),
            models.CheckConstraint(
                condition=~Q(action="override") | ~Q(quantity=F("suggested_quantity")),
                name="override_changes_quantity",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} #{self.suggestion_id}"


class ApprovalLimit(models.Model):
    """Up to here a member of the group decides alone. The widest limit of a user's groups counts."""

    group = models.ForeignKey(Group, models.CASCADE, related_name="approval_limits")
    currency = models.CharField(_("currency"), max_length=3)
    max_line_value = MoneyField(_("line value"), null=True, blank=True)
    max_order_value = MoneyField(_("order value"), null=True, blank=True)
    max_deviation_percent = models.PositiveIntegerField(_("deviation (%)"), null=True, blank=True)
    max_supplier_value_per_day = MoneyField(
        _("sum per supplier in 24 hours"),
        null=True,
        blank=True,
        help_text=_("Many small orders count like one large one."),
    )
    allows_new_supplier = models.BooleanField(_("new supplier"), default=False)

    class Meta:
        verbose_name = _("approval limit")
        verbose_name_plural = _("approval limits")
        constraints = [
            models.UniqueConstraint(
                fields=["group", "currency"], name="one_limit_per_group_currency"
            ),
            models.CheckConstraint(
                condition=Q(max_line_value__isnull=True) | Q(max_line_value__gte=0),
                name="line_limit_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(max_order_value__isnull=True) | Q(max_order_value__gte=0),
                name="order_limit_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(max_supplier_value_per_day__isnull=True)
                | Q(max_supplier_value_per_day__gte=0),
                name="supplier_limit_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.group} {self.currency}"
