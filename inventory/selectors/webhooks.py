"""Sources of messages and their deliveries, as their page shows them; never a secret."""

from django.db.models import Count, Max, Q, QuerySet

from inventory.models import WebhookDelivery, WebhookSource
from inventory.selectors.scope import Scope


def sources(*, scope: Scope) -> QuerySet[WebhookSource]:
    """Sources that ship from a warehouse of the scope, with ``last_at`` and ``refused_count``."""
    refused = Q(deliveries__outcome=WebhookDelivery.Outcome.REFUSED)
    rows = WebhookSource.objects.select_related("user", "warehouse").defer("secret")
    return scope.restrict(rows, product=None).annotate(
        last_at=Max("deliveries__received_at"), refused_count=Count("deliveries", filter=refused)
    )


def deliveries(*, scope: Scope) -> QuerySet[WebhookDelivery]:
    """Messages of those sources, latest first."""
    rows = WebhookDelivery.objects.select_related("source").defer("source__secret")
    return scope.restrict(rows, product=None, warehouse="source__warehouse")
