"""Settings of the worker processes that tests start: the test's database, short leases, countable effects."""

import json
import os

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES, INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.worker_app.apps.WorkerAppConfig"]
for _alias, _name in json.loads(os.environ.get("TEST_WORKER_DATABASES", "{}")).items():
    DATABASES[_alias]["NAME"] = _name
RUN_LEASE_SECONDS = 3
RUN_REDELIVER_SECONDS = 2
