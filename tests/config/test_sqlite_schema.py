"""SQLite rebuilds a table to alter it: the guards have to be there afterwards."""

import pytest
from django.db import OperationalError, connection
from django.db.backends.sqlite3 import schema

from catalog.guards import install_guards, missing_guards
from config.sqlite3.base import DatabaseWrapper
from inventory.models import StockMovement

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        "connection.vendor != 'sqlite'", reason="other engines alter tables in place"
    ),
]


def rebuild(model):
    field = model._meta.get_field("note")
    longer = field.clone()
    longer.set_attributes_from_name("note")
    longer.model = model
    longer.null = True
    with connection.schema_editor() as editor:
        editor.alter_field(model, field, longer)
    with connection.schema_editor() as editor:
        editor.alter_field(model, longer, field)


def test_a_rebuilt_table_keeps_its_guards():
    assert missing_guards(connection) == []
    rebuild(StockMovement)
    assert missing_guards(connection) == []


def test_canary_django_alone_stumbles_over_them(monkeypatch):
    monkeypatch.setattr(DatabaseWrapper, "SchemaEditorClass", schema.DatabaseSchemaEditor)
    # a guard of another table reads this one, so that the rebuild stops halfway
    with pytest.raises(OperationalError, match="guard_"):
        rebuild(StockMovement)
    install_guards(connection)
