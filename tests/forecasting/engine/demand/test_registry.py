import subprocess
import sys

import pytest

from forecasting.engine.demand import registry


def test_importing_the_registry_imports_nothing_heavy() -> None:
    code = (
        "import sys, forecasting.engine.demand.registry as registry; registry.build('weekday_mean');"
        "print([m for m in ('tensorflow', 'keras', 'pandas', 'scipy', 'pyarrow', 'numba') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ValueError, match=r"'weekday_mean'.*received: 'oracle'"):
        registry.build("oracle")
