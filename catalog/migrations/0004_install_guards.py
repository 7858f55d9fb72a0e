"""No two prices of one product and channel hold on the same day: kept by the database."""

from django.db import migrations

from catalog.guards.operations import InstallGuards


class Migration(migrations.Migration):
    dependencies = [("catalog", "0003_price_is_observed")]

    operations = [InstallGuards()]
