"""Quantities: minimum, multiple, maximum, rounding and price breaks, each checkable by hand."""

from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from inventory.engine.order_quantities import (
    PriceStep,
    Terms,
    next_break,
    order_quantity,
    possible_quantities,
    total,
)
from inventory.services.rounding import break_hint, explain

D = Decimal
BREAKS = (PriceStep(48, D("2.90")), PriceStep(120, D("2.50")))


@pytest.mark.parametrize(
    ("wished", "terms", "quantity", "rule"),
    [
        (0, {}, 0, ""),
        (-5, {"min_order_quantity": 10}, 0, ""),
        (7, {}, 7, ""),
        (7, {"min_order_quantity": 10}, 10, "min_order_quantity"),
        (13, {"order_multiple": 12}, 24, "order_multiple"),
        (13, {"order_multiple": 12, "rounding": "down"}, 12, "order_multiple"),
        (17, {"order_multiple": 12, "rounding": "nearest"}, 12, "order_multiple"),
        (18, {"order_multiple": 12, "rounding": "nearest"}, 24, "order_multiple"),  # half goes up
        (13, {"order_multiple": 12, "rounding": "none"}, 13, ""),
        # a wish never rounds to nothing
        (5, {"order_multiple": 12, "rounding": "down"}, 12, "order_multiple"),
        # a minimum that is no multiple
        (3, {"min_order_quantity": 10, "order_multiple": 12}, 12, "order_multiple"),
        (11, {"min_order_quantity": 10, "order_multiple": 12, "rounding": "down"}, 12, "order_multiple"),
        (500, {"order_multiple": 12, "max_order_quantity": 100}, 96, "max_order_quantity"),
        (500, {"max_order_quantity": 100, "order_multiple": 12, "rounding": "none"}, 100, "max_order_quantity"),
        # 60 at most, in packs of 100: nothing can be ordered
        (70, {"max_order_quantity": 60, "order_multiple": 100}, 0, "max_order_quantity"),
    ],
)  # fmt: skip
def test_a_wish_becomes_what_the_supplier_delivers(wished, terms, quantity, rule):
    found = order_quantity(wished, Terms(**terms))
    assert (found.quantity, found.binding) == (quantity, rule)


@pytest.mark.parametrize(
    ("quantity", "cost"), [(1, "3.10"), (47, "3.10"), (48, "2.90"), (119, "2.90"), (120, "2.50")]
)
def test_the_price_break_counts_for_all_units(quantity, cost):
    terms = Terms(unit_cost=D("3.10"), price_steps=BREAKS)
    found = order_quantity(quantity, terms)
    assert found.unit_cost == D(cost)
    assert found.value == D(cost) * quantity


def test_the_next_break_says_how_many_more_and_what_they_save():
    terms = Terms(unit_cost=D("3.10"), price_steps=BREAKS, order_multiple=6)
    hint = order_quantity(42, terms).next_break
    assert (hint.quantity, hint.more, hint.unit_cost) == (48, 6, D("2.90"))
    assert hint.saves == D("9.60")  # 48 × 0.20
    assert hint.pays == D("9.00")  # 48 × 2.90 − 42 × 3.10
    assert order_quantity(120, terms).next_break is None


def test_a_break_beyond_the_maximum_or_at_a_higher_price_is_no_hint():
    steps = (PriceStep(48, D("2.90")),)
    assert next_break(12, Terms(unit_cost=D(3), price_steps=steps, max_order_quantity=40)) is None
    dearer = (PriceStep(48, D("3.50")), PriceStep(96, D("2.00")))
    assert next_break(12, Terms(unit_cost=D(3), price_steps=dearer)).quantity == 96


@pytest.mark.parametrize(
    ("quantity", "terms", "possible"),
    [
        (73, {"order_multiple": 12}, (72, 84)),
        (6, {"min_order_quantity": 12, "order_multiple": 12}, (12,)),
        (500, {"order_multiple": 12, "max_order_quantity": 100}, (96,)),
        (5, {"max_order_quantity": 60, "order_multiple": 100}, ()),
    ],
)
def test_a_refused_quantity_has_neighbours(quantity, terms, possible):
    assert possible_quantities(quantity, Terms(**terms)) == possible


def test_the_words_name_the_rules_that_bound():
    terms = Terms(min_order_quantity=24, order_multiple=10, max_order_quantity=60)
    assert explain(order_quantity(7, terms), terms) == (
        "7 wanted, 30 ordered: up to the minimum order quantity of 24, up to packs of 10"
    )
    assert "cut at the maximum order quantity of 60" in explain(order_quantity(99, terms), terms)
    assert explain(order_quantity(30, terms), terms) == ""
    near = Terms(unit_cost=D("3.10"), price_steps=BREAKS, order_multiple=6)
    assert break_hint(order_quantity(42, near), "EUR") == (
        "+6 units reach 2.90 EUR each: saves 9.60 EUR"
    )


@pytest.mark.parametrize(
    "wrong",
    [{"min_order_quantity": 0}, {"order_multiple": 0}, {"max_order_quantity": 0}, {"rounding": "sideways"}],
)  # fmt: skip
def test_senseless_terms_are_refused(wrong):
    with pytest.raises(ValueError, match="Expected"):
        Terms(**wrong)


money = st.integers(0, 10**9).map(lambda units: D(units) / 10_000)


@st.composite
def some_terms(draw):
    return Terms(
        min_order_quantity=draw(st.integers(1, 500)),
        order_multiple=draw(st.integers(1, 200)),
        max_order_quantity=draw(st.none() | st.integers(1, 5000)),
        rounding=draw(st.sampled_from(["up", "down", "nearest", "none"])),
        unit_cost=draw(money),
        price_steps=tuple(
            PriceStep(least, cost)
            for least, cost in draw(st.dictionaries(st.integers(2, 3000), money, max_size=4)).items()
        ),
    )  # fmt: skip


@given(some_terms(), st.integers(-10, 2**53))
def test_every_answer_is_allowed_and_adds_up(terms, wished):
    found = order_quantity(wished, terms)
    if wished <= 0 or terms.most == 0:
        assert found.quantity == 0
        return
    assert terms.allows(found.quantity)
    assert found.wished + sum(change.units for change in found.changes) == found.quantity
    assert found.unit_cost == terms.unit_cost_at(found.quantity)
    assert order_quantity(found.quantity, terms).quantity == found.quantity  # nothing left to round


@given(some_terms(), st.integers(1, 5000))
def test_the_rounding_does_what_its_name_says(terms, wished):
    assume(terms.most is None and wished >= terms.least)
    found = order_quantity(wished, terms).quantity
    if terms.rounding == "up":
        assert wished <= found < wished + terms.multiple
    elif terms.rounding == "down":
        assert wished - terms.multiple < found <= wished
    elif terms.rounding == "nearest":
        assert abs(found - wished) * 2 <= terms.multiple
    else:
        assert found == wished


@given(some_terms(), st.integers(1, 5000))
def test_more_wished_is_never_less_ordered(terms, wished):
    assert order_quantity(wished + 1, terms).quantity >= order_quantity(wished, terms).quantity


@given(some_terms(), st.integers(1, 5000))
def test_a_hint_is_cheaper_per_unit_and_allowed(terms, wished):
    found = order_quantity(wished, terms)
    hint = found.next_break
    if hint is None:
        return
    assert terms.allows(hint.quantity)
    assert hint.quantity == found.quantity + hint.more > found.quantity
    assert hint.unit_cost < found.unit_cost
    assert hint.saves == (found.unit_cost - hint.unit_cost) * hint.quantity
    assert hint.pays == hint.unit_cost * hint.quantity - found.value


@given(st.lists(st.tuples(st.integers(1, 10**6), money), max_size=50))
def test_money_adds_up_to_the_last_digit(lines):
    units = sum(quantity * int(cost * 10_000) for quantity, cost in lines)
    assert total(lines) == D(units) / 10_000
