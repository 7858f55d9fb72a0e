"""What the invariants compare stays readable when one of them fails."""

import pytest

pytest.register_assert_rewrite("tests.proof.stock_world")
