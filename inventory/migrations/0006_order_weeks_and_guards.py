"""Orders of before get the week in which they were made; the rebuilt tables get their guards back."""

from datetime import timedelta

from django.db import migrations

from catalog.guards.operations import InstallGuards


def fill_weeks(apps, schema_editor):
    order_model = apps.get_model("inventory", "PurchaseOrder")
    for order in order_model.objects.only("id", "created_at", "week").iterator(chunk_size=2000):
        day = order.created_at.date()
        order_model.objects.filter(pk=order.pk).update(week=day - timedelta(days=day.weekday()))


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0006_install_guards"),
        ("inventory", "0005_orders_documents_lots"),
    ]

    operations = [
        migrations.RunPython(fill_weeks, migrations.RunPython.noop),
        InstallGuards(),
    ]
