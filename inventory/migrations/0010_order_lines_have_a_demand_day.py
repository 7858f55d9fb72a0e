"""Order lines know their day of demand, orders why they were cancelled."""

from datetime import date

from django.db import migrations, models

from catalog.guards.operations import InstallGuards


class Migration(migrations.Migration):
    dependencies = [("inventory", "0009_count_lines_know_their_place")]

    operations = [
        migrations.AddField(
            model_name="customerorder",
            name="cancel_reason",
            field=models.CharField(blank=True, max_length=200, verbose_name="cancelled because"),
        ),
        migrations.AddField(
            model_name="customerorderline",
            name="demand_day",
            field=models.DateField(
                default=date(2026, 1, 1),
                help_text=(
                    "Date of ordering in the warehouse's time zone: open pieces are demand of it."
                ),
                verbose_name="demand day",
            ),
            preserve_default=False,
        ),
        migrations.AddIndex(
            model_name="customerorderline",
            index=models.Index(
                fields=["product", "warehouse", "demand_day"], name="ordered_demand"
            ),
        ),
        migrations.AddIndex(
            model_name="customerorderline",
            index=models.Index(
                condition=models.Q(
                    ("quantity__gt", models.F("shipped_quantity") + models.F("cancelled_quantity"))
                ),
                fields=["product", "warehouse"],
                name="open_order_lines",
            ),
        ),
        InstallGuards(),
    ]
