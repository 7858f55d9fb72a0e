"""The database too takes a held order back only to where it was held."""

from django.db import migrations

from catalog.guards.operations import InstallGuards


class Migration(migrations.Migration):
    dependencies = [("inventory", "0011_auto_approvals_know_their_author")]

    operations = [InstallGuards()]
