"""Products come and go; what was sold of them stays."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from catalog.models import Category, Product


@transaction.atomic
def create_product(
    *,
    sku: str,
    name: str,
    category: Category | None = None,
    listed_on: date | None = None,
    lifecycle: str = Product.Lifecycle.NEW,
    facts: Mapping[str, Any] | None = None,
) -> Product:
    """Create a product; ``facts`` are further fields of the model.

    Raises:
        ValidationError: by field, as forms show it.
    """
    product = Product(
        sku=sku.strip(), name=name.strip(), category=category, listed_on=listed_on,
        lifecycle=lifecycle, **(facts or {}),
    )  # fmt: skip
    product.full_clean()
    product.save(force_insert=True)
    return product


@transaction.atomic
def discontinue_product(*, product: Product, successor: Product | None = None) -> Product:
    """Take a product out of shop and planning; its successor may inherit its history.

    Raises:
        ValidationError: a successor that is the product itself or leads back to it.
    """
    row = Product.objects.select_for_update().get(pk=product.pk)
    follower, seen = successor, {row.pk}
    while follower is not None:
        if follower.pk in seen:
            raise ValidationError(
                _("The successors of %(sku)s would go round in a circle."),
                code="successor",
                params={"sku": row.sku},
            )
        seen.add(follower.pk)
        follower = follower.successor
    row.lifecycle = Product.Lifecycle.DISCONTINUED
    row.is_sellable = False
    row.successor = successor or row.successor
    row.save(update_fields=["lifecycle", "is_sellable", "successor"])
    return row
