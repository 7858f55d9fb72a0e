"""The budget check itself, and that budgets name pages that exist."""

import pytest
from django.urls import NoReverseMatch, reverse

from tests import query_budget


@pytest.fixture
def _budget_of_four(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query_budget, "budgets", lambda: {"page": 4})


@pytest.mark.usefixtures("_budget_of_four")
def test_a_page_over_its_budget_is_noticed() -> None:
    with pytest.raises(AssertionError, match="page used 5 queries, its budget is 4"):
        query_budget.assert_within_budget("page", ["SELECT 1"] * 5)


@pytest.mark.usefixtures("_budget_of_four")
def test_a_budget_that_is_far_too_high_is_noticed() -> None:
    with pytest.raises(AssertionError, match="lower its budget of 4"):
        query_budget.assert_within_budget("page", [])


@pytest.mark.usefixtures("_budget_of_four")
def test_a_page_within_its_budget_passes() -> None:
    query_budget.assert_within_budget("page", ["SELECT 1"] * 4)


def test_a_page_without_a_budget_is_noticed() -> None:
    with pytest.raises(AssertionError, match="has no budget"):
        query_budget.assert_within_budget("no such page", [])


def test_budgets_are_for_pages_that_exist() -> None:
    unknown = []
    for key in query_budget.budgets():
        name = key.split(" ")[0]  # "stock filtered" is a second budget of the page "stock"
        try:
            reverse(name)
        except NoReverseMatch as error:
            if "is not a valid" in str(error):  # a page of one row asks for arguments instead
                unknown.append(name)
    assert unknown == []
