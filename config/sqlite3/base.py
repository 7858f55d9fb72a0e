"""Django's SQLite backend; the place where writers of one process queue in order."""

from django.db.backends.sqlite3 import base


class DatabaseWrapper(base.DatabaseWrapper):
    pass
