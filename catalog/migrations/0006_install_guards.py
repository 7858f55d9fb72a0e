"""The audit trail is append-only: kept by the database."""

from django.db import migrations

from catalog.guards.operations import InstallGuards


class Migration(migrations.Migration):
    dependencies = [("catalog", "0005_audit_currencies_purchasing_terms")]

    operations = [InstallGuards()]
