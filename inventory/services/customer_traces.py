"""What the books hold about a customer, and how it loses its key."""

from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction

from catalog.erasure import Forgotten, Subject
from catalog.services.forgetting import mentions
from inventory.models import (
    AnnouncedDemand,
    Customer,
    CustomerOrder,
    ImportBatch,
    PaymentReport,
    Return,
    Sale,
    Shipment,
)

State = ImportBatch.State


def forget_customer(*, subject: Subject, at: datetime) -> Forgotten:
    """Give the row its replacement key, end the consent, and drop copies of files that may hold the key."""
    changed = (
        Customer.objects.filter(pk=subject.customer_id)
        .exclude(key=subject.replacement)
        .update(key=subject.replacement, has_consent=False, region=None, erased_at=at)
    )
    counts = {
        "customers": changed,
        "import_reports": _forget_cells(subject),
        "stored_files": _drop_files(),
    }
    return Forgotten(counts={name: count for name, count in counts.items() if count})


def _forget_cells(subject: Subject) -> int:
    """Empty the cells of broken rows that repeat the key in the report of an import."""
    count = 0
    for batch in ImportBatch.objects.filter(mentions("report", subject.key)).only("pk", "report"):
        rejected = batch.report.get("rejected", [])
        is_meant = [str(row.get("value", "")).strip() == subject.key for row in rejected]
        if any(is_meant):
            rows = [
                {**row, "value": ""} if meant else row
                for row, meant in zip(rejected, is_meant, strict=True)
            ]
            batch.report = {**batch.report, "rejected": rows}
            batch.save(update_fields=["report"])
            count += 1
    return count


def _drop_files() -> int:
    """Take away our copies of uploaded files that no import needs any more.

    They hold customers' keys, and order exports hold more than that. Whoever needs one has the original.
    """
    done = ImportBatch.objects.exclude(file="").filter(
        state__in=(State.PUBLISHED, State.DRY_RUN, State.FAILED)
    )
    count = 0
    for batch in done.exclude(state=State.PUBLISHED, finished_at=None).only("pk", "file"):
        transaction.on_commit(partial(batch.file.storage.delete, batch.file.name))
        count += ImportBatch.objects.filter(pk=batch.pk).update(file="")
    return count


def tell_customer(*, subject: Subject) -> dict[str, Any]:
    """Return the customer, orders with payments and shipments, sales, returns and announced demand."""
    customer = Customer.objects.select_related("region").get(pk=subject.customer_id)
    orders = CustomerOrder.objects.filter(customer=customer).order_by("placed_at", "id")
    return {
        "customer": {
            "key": customer.key,
            "region": customer.region.code if customer.region else None,
            "has_consent": customer.has_consent,
            "erased_at": customer.erased_at,
        },
        "orders": [_order(row) for row in orders.prefetch_related("lines__product", "lines__warehouse")],
        "payments": list(
            PaymentReport.objects.filter(order__customer=customer).order_by("id").values(
                "order__channel", "order__order_ref", "state", "amount", "reference", "at"
            )
        ),
        "shipments": list(
            Shipment.objects.filter(order__customer=customer).order_by("id").values(
                "order__channel", "order__order_ref", "shipped_at", "tracking"
            )
        ),
        "sales": _lines(Sale, customer, "sold_at"),
        "returns": _lines(Return, customer, "returned_at"),
        "announced": _lines(AnnouncedDemand, customer, "due_day"),
    }  # fmt: skip


def _order(order: CustomerOrder) -> dict[str, Any]:
    return {
        "channel": order.channel,
        "order_ref": order.order_ref,
        "state": order.state,
        "payment": order.payment,
        "paid_amount": order.paid_amount,
        "payment_reference": order.payment_reference,
        "currency": order.currency,
        "placed_at": order.placed_at,
        "lines": [
            {
                "line": line.line, "sku": line.product.sku, "warehouse": line.warehouse.code,
                "quantity": line.quantity, "unit_price": line.unit_price,
                "shipped": line.shipped_quantity, "cancelled": line.cancelled_quantity,
                "returned": line.returned_quantity,
            }
            for line in order.lines.all()
        ],
    }  # fmt: skip


def _lines(
    model: type[Sale] | type[Return] | type[AnnouncedDemand], customer: Customer, moment: str
) -> list[dict[str, Any]]:
    rows = model._default_manager.filter(customer=customer).order_by(moment, "id")
    return list(
        rows.values(
            "channel", "order_ref", "line", "product__sku", "warehouse__code", "quantity",
            "unit_price", "currency", moment,
        )
    )  # fmt: skip
