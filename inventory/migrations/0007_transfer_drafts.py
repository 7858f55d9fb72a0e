"""Approved transfers gather in one draft a route; documents and transfers get guards of their own."""

from django.db import migrations, models

from catalog.guards.operations import InstallGuards


class Migration(migrations.Migration):
    dependencies = [("inventory", "0006_order_weeks_and_guards")]

    operations = [
        migrations.AddField(
            model_name="transfer",
            name="is_manual",
            field=models.BooleanField(default=False, verbose_name="written by hand"),
        ),
        migrations.AddConstraint(
            model_name="transfer",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_manual", False), ("state", "draft")),
                fields=("source", "destination"),
                name="one_draft_per_route",
            ),
        ),
        migrations.RemoveConstraint(
            model_name="transferline", name="one_transfer_line_per_product"
        ),
        migrations.AddConstraint(
            model_name="transferline",
            constraint=models.UniqueConstraint(
                condition=models.Q(("suggestion__isnull", True)),
                fields=("transfer", "product"),
                name="one_transfer_line_per_product",
            ),
        ),
        InstallGuards(),
    ]
