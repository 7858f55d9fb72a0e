"""The ledger and decisions are append-only, states change legally: kept by the database."""

from django.db import migrations

from catalog.guards.operations import InstallGuards


class Migration(migrations.Migration):
    dependencies = [("inventory", "0002_import_batches_and_announcements")]

    operations = [InstallGuards()]
