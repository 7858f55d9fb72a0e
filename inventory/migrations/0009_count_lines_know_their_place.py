"""Counts remember who submitted them, and each line the ledger row that its books held."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from catalog.guards.operations import InstallGuards


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0006_install_guards"),
        ("inventory", "0008_purchasing_life_cycle"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="stockcount",
            name="content_sha256",
            field=models.CharField(
                blank=True,
                editable=False,
                help_text="The same idempotency key with other content is refused.",
                max_length=64,
                verbose_name="hash of what was asked for",
            ),
        ),
        migrations.AddField(
            model_name="stockcount",
            name="submitted_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="submitted by",
            ),
        ),
        migrations.AddField(
            model_name="stockcountline",
            name="is_superseded",
            field=models.BooleanField(default=False, verbose_name="a later count came first"),
        ),
        migrations.AddField(
            model_name="stockcountline",
            name="ledger_position",
            field=models.BigIntegerField(
                blank=True, editable=False, null=True, verbose_name="last ledger row"
            ),
        ),
        migrations.AlterField(
            model_name="stockcountline",
            name="book_quantity",
            field=models.BigIntegerField(blank=True, null=True, verbose_name="books"),
        ),
        migrations.AddIndex(
            model_name="stockcountline",
            index=models.Index(fields=["product", "counted_at"], name="count_line_latest"),
        ),
        migrations.AddConstraint(
            model_name="stockcount",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "awaiting_approval"), _negated=True),
                    models.Q(("threshold_exceeded", ""), _negated=True),
                    _connector="OR",
                ),
                name="waiting_count_has_reason",
            ),
        ),
        migrations.AddConstraint(
            model_name="stockcountline",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("is_superseded", False), ("movement__isnull", True), _connector="OR"
                ),
                name="superseded_line_moves_nothing",
            ),
        ),
        InstallGuards(),
    ]
