"""Hand-written orders with their authors, merged suggestions, reversed receipts, and steps on order lines."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from catalog.guards.operations import InstallGuards


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0006_install_guards"),
        ("inventory", "0007_transfer_drafts"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="MergedSuggestion",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("quantity", models.PositiveBigIntegerField(verbose_name="quantity")),
            ],
            options={
                "verbose_name": "merged suggestion",
                "verbose_name_plural": "merged suggestions",
                "ordering": ["id"],
            },
        ),
        migrations.RemoveConstraint(
            model_name="decision",
            name="override_has_reason",
        ),
        migrations.AddField(
            model_name="purchaseorder",
            name="authors",
            field=models.ManyToManyField(
                blank=True,
                help_text="Who wrote or changed a line by hand; none of them gives the approval.",
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="written by",
            ),
        ),
        migrations.AddField(
            model_name="purchaseorder",
            name="idempotency_key",
            field=models.CharField(
                blank=True, max_length=160, null=True, unique=True, verbose_name="idempotency key"
            ),
        ),
        migrations.AddField(
            model_name="purchaseorder",
            name="request_digest",
            field=models.CharField(
                blank=True,
                editable=False,
                help_text="What the key came with: the same key with other content is refused.",
                max_length=64,
                verbose_name="digest of the request",
            ),
        ),
        migrations.AddField(
            model_name="receipt",
            name="reversal_note",
            field=models.CharField(blank=True, max_length=200, verbose_name="reversed because"),
        ),
        migrations.AddField(
            model_name="receipt",
            name="reversed_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="reversed at"),
        ),
        migrations.AddField(
            model_name="receipt",
            name="reversed_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="reversed by",
            ),
        ),
        migrations.AlterField(
            model_name="decision",
            name="action",
            field=models.CharField(
                choices=[
                    ("approve", "Approved"),
                    ("override", "Overridden"),
                    ("reject", "Rejected"),
                    ("snooze", "Snoozed"),
                    ("reopen", "Reopened"),
                    ("second_approve", "Second approval given"),
                    ("second_reject", "Second approval refused"),
                    ("change_line", "Quantity changed on the order"),
                    ("remove_line", "Taken off the order"),
                ],
                max_length=16,
                verbose_name="action",
            ),
        ),
        migrations.AddConstraint(
            model_name="decision",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("action__in", ("override", "reject", "remove_line")), _negated=True),
                    ("reason__isnull", False),
                    _connector="OR",
                ),
                name="override_has_reason",
            ),
        ),
        migrations.AddConstraint(
            model_name="receipt",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("reversed_at__isnull", True), ("reversed_by__isnull", True)),
                    models.Q(("reversed_at__isnull", False), ("reversed_by__isnull", False)),
                    _connector="OR",
                ),
                name="reversed_receipt_knows_by_whom",
            ),
        ),
        migrations.AddField(
            model_name="mergedsuggestion",
            name="line",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="merged",
                to="inventory.purchaseorderline",
            ),
        ),
        migrations.AddField(
            model_name="mergedsuggestion",
            name="suggestion",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="merged_into",
                to="inventory.suggestion",
            ),
        ),
        migrations.AddConstraint(
            model_name="mergedsuggestion",
            constraint=models.CheckConstraint(
                condition=models.Q(("quantity__gt", 0)), name="merged_quantity_positive"
            ),
        ),
        InstallGuards(),
    ]
