"""Settings of the test run: config.settings with fast hashing and files in a scratch folder."""

import os
import tempfile
from pathlib import Path

os.environ.setdefault("GRANARY_VAR", tempfile.mkdtemp(prefix="granary-tests-"))

from config.settings import *  # noqa: F403
from config.settings import DATABASES, STORAGES

DEBUG = False
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    **STORAGES,
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
CELERY_TASK_ALWAYS_EAGER = False
AXES_ENABLED = False  # the log-in tests switch it on

_suffix = os.environ.get("TEST_DB_SUFFIX", "")
for _alias, _database in DATABASES.items():
    if _database["ENGINE"] == "config.sqlite3":
        # a file, not memory: threads and worker processes of a test see the same database
        _database["TEST"] = {
            "NAME": str(Path(os.environ["GRANARY_VAR"]) / f"test-{_alias}{_suffix}.sqlite3")
        }
    else:
        _database["TEST"] = {"NAME": f"test_granary{_suffix}"}
