"""The suggestion grid: what it shows to whom, and decisions taken in it."""

import pytest
from django.urls import reverse

from inventory.models import Decision, Suggestion
from inventory.services.suggestions import approve_suggestion, snooze_suggestion
from tests.factories import SupplierFactory, WarehouseFactory

pytestmark = pytest.mark.django_db(databases="__all__")

HTMX = {"HTTP_HX_REQUEST": "true"}


def decide(client, row, **data):
    address = reverse("suggestion-decide", args=[row.pk])
    return client.post(address, {"version": row.version, "decision": "approve", **data}, **HTMX)


def test_filters_come_from_the_address(as_user, alice, propose, warehouse):
    propose()
    elsewhere = WarehouseFactory(code="LYS")
    propose(warehouse=elsewhere, urgency="stocked_out")
    client = as_user(alice)
    both = client.get(reverse("suggestions"))
    assert [row.record.urgency for row in both.context["table"].paginated_rows] == [
        "stocked_out", "today",
    ]  # fmt: skip
    one = client.get(reverse("suggestions"), {"warehouse": warehouse.pk, "q": "mug"})
    assert [row.record.warehouse_id for row in one.context["table"].paginated_rows] == [
        warehouse.pk
    ]
    assert not client.get(reverse("suggestions"), {"q": "nothing like it"}).context["table"].rows


def test_sorting_and_paging_happen_in_the_database(as_user, alice, propose_many):
    propose_many(60)
    client = as_user(alice)
    page = client.get(reverse("suggestions"), {"sort": "-product", "page": 2}).context["table"]
    rows = [row.record.product.sku for row in page.paginated_rows]
    assert rows == [f"LAMP-{number:03d}" for number in range(9, -1, -1)]
    assert page.page.paginator.count == 60
    dearest = client.get(reverse("suggestions"), {"sort": "-line_value"})
    assert dearest.status_code == 200


def test_open_rows_are_the_default_and_other_states_a_filter(as_user, alice, propose, noon):
    row = propose()
    snooze_suggestion(
        suggestion_id=row.pk, until=noon.date().replace(day=30), by=alice, at=noon, version=1
    )
    client = as_user(alice)
    assert len(client.get(reverse("suggestions")).context["table"].rows) == 0
    snoozed = client.get(reverse("suggestions"), {"state": "snoozed"})
    assert len(snoozed.context["table"].rows) == 1


def test_a_planner_without_a_scope_sees_nothing(as_user, frank, propose):
    row = propose()
    client = as_user(frank)
    assert len(client.get(reverse("suggestions")).context["table"].rows) == 0
    assert client.get(reverse("suggestion", args=[row.pk])).status_code == 404
    assert decide(client, row).status_code == 404
    row.refresh_from_db()
    assert row.state == "open"


def test_a_viewer_sees_no_form_and_may_not_post(as_user, eve, propose):
    row = propose()
    client = as_user(eve)
    assert b"data-quantity-form" not in client.get(reverse("suggestions")).content
    answer = decide(client, row)
    assert answer.status_code == 403
    assert b"inventory.decide_suggestion" in answer.content


def test_approving_in_the_grid_answers_with_the_row(as_user, alice, propose):
    row = propose()
    answer = decide(as_user(alice), row, quantity=72)
    row.refresh_from_db()
    assert answer.status_code == 200
    assert row.state == "converted"
    assert row.order_line.order.number in answer.content.decode()
    assert answer.content.strip().startswith(b"<tr")


def test_another_quantity_needs_a_reason_and_is_an_override(as_user, alice, propose):
    row = propose()
    client = as_user(alice)
    asked = decide(client, row, quantity=84)
    assert asked.status_code == 422
    assert b'name="reason"' in asked.content
    assert b'value="84"' in asked.content
    row.refresh_from_db()
    assert row.state == "open"
    assert decide(client, row, quantity=84, reason="customer_order").status_code == 200
    decision = Decision.objects.get(suggestion=row)
    assert (decision.action, decision.quantity, decision.reason.code) == (
        "override", 84, "customer_order",
    )  # fmt: skip


def test_a_quantity_beside_the_packs_is_refused_with_the_next_possible_one(as_user, alice, propose):
    answer = decide(as_user(alice), propose(), quantity=80, reason="customer_order")
    assert answer.status_code == 422
    assert "84" in answer.content.decode()


def test_rejecting_needs_a_reason(as_user, alice, propose):
    row = propose()
    client = as_user(alice)
    assert decide(client, row, decision="reject").status_code == 422
    assert decide(client, row, decision="reject", reason="other").status_code == 422  # needs a note
    assert decide(client, row, decision="reject", reason="budget").status_code == 200
    row.refresh_from_db()
    assert row.state == "rejected"


def test_a_stale_row_shows_both_values_and_decides_nothing(as_user, alice, propose):
    row = propose()
    Suggestion.objects.filter(pk=row.pk).update(version=5, suggested_quantity=48)
    answer = decide(as_user(alice), row, quantity=84, reason="budget")
    body = answer.content.decode()
    assert answer.status_code == 409
    assert "84" in body
    assert "48" in body
    assert 'name="version" value="5"' in body
    assert not Decision.objects.exists()


def test_the_form_works_without_javascript(as_user, alice, propose):
    row = propose()
    client = as_user(alice)
    address = reverse("suggestion-decide", args=[row.pk])
    back = f"{reverse('suggestions')}?urgency=today"
    refused = client.post(address, {"version": 1, "decision": "approve", "quantity": 84})
    assert refused.status_code == 422
    assert b"<html" in refused.content
    data = {"version": 1, "decision": "approve", "quantity": 72, "next": back}
    answer = client.post(address, data)
    assert (answer.status_code, answer["Location"]) == (302, back)


def test_no_form_leads_off_the_site(as_user, alice, propose):
    row = propose()
    data = {"version": 1, "decision": "approve", "quantity": 72, "next": "https://evil.example/"}
    answer = as_user(alice).post(reverse("suggestion-decide", args=[row.pk]), data)
    assert answer["Location"] == reverse("suggestion", args=[row.pk])


def test_subtotals_show_how_far_a_supplier_minimum_is(as_user, alice, propose, supplier):
    supplier.min_order_value = 446
    supplier.save()
    propose()
    (subtotal,) = as_user(alice).get(reverse("suggestions")).context["subtotals"]
    assert (subtotal.lines, str(subtotal.value)) == (1, "223.2")
    assert round(subtotal.share_of_minimum, 3) == 0.5
    assert str(subtotal.missing_value) == "222.8"


class TestBulk:
    address = "/suggestions/bulk/"

    def ask(self, client, rows, decision="approve"):
        picked = [f"{row.pk}:{row.version}" for row in rows]
        return client.post(self.address, {"decision": decision, "row": picked})

    def test_it_asks_once_with_the_totals_and_then_tells_row_by_row(
        self, as_user, alice, propose_many, propose
    ):
        propose_many(2)
        assumed = propose(uses_assumed_facts=True)
        rows = list(Suggestion.objects.order_by("pk"))
        client = as_user(alice)
        asked = self.ask(client, rows)
        assert asked.context["assumed"] == 1
        assert str(asked.context["totals"][0]["value"]) == "669.6"
        assert not Decision.objects.exists()
        data = {"confirmed": "1", "decision": "approve", "rows": asked.context["packed"]}
        done = client.post(self.address, data)
        outcomes = {
            line["result"].suggestion_id: line["result"].outcome for line in done.context["lines"]
        }
        assert outcomes.pop(assumed.pk) == "refused"
        assert set(outcomes.values()) == {"done"}

    def test_what_changed_after_the_question_is_not_decided(self, as_user, alice, propose):
        row = propose()
        client = as_user(alice)
        packed = self.ask(client, [row]).context["packed"]
        Suggestion.objects.filter(pk=row.pk).update(version=9)
        data = {"confirmed": "1", "decision": "approve", "rows": packed}
        (line,) = client.post(self.address, data).context["lines"]
        assert line["result"].outcome == "stale"

    def test_rejecting_many_needs_a_reason(self, as_user, alice, propose):
        row = propose()
        data = {"confirmed": "1", "decision": "reject", "rows": f"{row.pk}:1"}
        client = as_user(alice)
        assert client.post(self.address, data).status_code == 422
        done = client.post(self.address, {**data, "reason": "budget"})
        assert done.context["counts"]["done"] == 1

    def test_all_filtered_means_the_filter_of_the_address(
        self, as_user, alice, propose_many, propose
    ):
        propose_many(3)
        propose(urgency="later")
        data = {"decision": "approve", "all_filtered": "1", "query": "urgency=later"}
        asked = as_user(alice).post(self.address, data)
        assert [row.urgency for row in asked.context["rows"]] == ["later"]

    def test_rows_outside_the_scope_are_left_out(self, as_user, alice, frank, propose):
        row = propose()
        data = {"confirmed": "1", "decision": "approve", "rows": f"{row.pk}:1"}
        assert as_user(frank).post(self.address, data).context["lines"] == []

    def test_an_empty_selection_goes_back_to_the_grid(self, as_user, alice, propose):
        answer = as_user(alice).post(self.address, {"decision": "approve", "query": "q=mug"})
        assert answer["Location"] == "/suggestions/?q=mug"


class TestDetail:
    def test_the_waterfall_adds_up_to_the_quantity(self, as_user, alice, propose, rationale):
        row = propose(rationale=rationale)
        shown = as_user(alice).get(reverse("suggestion", args=[row.pk]))
        facts = shown.context["rationale"]
        assert facts["adds_up"]
        assert facts["waterfall"][-1]["total"] == facts["quantity"] == 72
        assert b"does not add up" not in shown.content

    def test_a_sum_that_is_wrong_is_said(self, as_user, alice, propose, rationale):
        row = propose(rationale={**rationale, "quantity": 71})
        shown = as_user(alice).get(reverse("suggestion", args=[row.pk]))
        assert b"does not add up" in shown.content

    def test_neighbours_follow_the_filter(self, as_user, alice, propose_many):
        propose_many(3)
        ids = list(
            Suggestion.objects.order_by("-expected_lost_margin").values_list("pk", flat=True)
        )
        shown = as_user(alice).get(reverse("suggestion", args=[ids[1]]), {"urgency": "today"})
        assert (shown.context["previous"], shown.context["following"]) == (ids[0], ids[2])
        assert (shown.context["position"], shown.context["total"]) == (2, 3)

    def test_a_rationale_with_little_in_it_still_makes_a_page(self, as_user, alice, propose):
        row = propose(supplier_id=None, rationale={})
        shown = as_user(alice).get(reverse("suggestion", args=[row.pk]))
        assert shown.status_code == 200
        assert row.withheld_reason in shown.content.decode()


def test_the_second_approval_is_another_persons(as_user, alice, bob, propose, noon):
    row = approve_suggestion(
        suggestion_id=propose(suggested_quantity=1200).pk, by=alice, at=noon, version=1
    )
    assert row.state == "awaiting_second_approval"
    address = reverse("suggestion-second", args=[row.pk])
    data = {"version": row.version, "decision": "approve"}
    assert as_user(alice).post(address, data).status_code == 403
    assert row.product.sku in as_user(bob).get(reverse("approvals")).content.decode()
    assert as_user(bob).post(address, data).status_code == 302
    row.refresh_from_db()
    assert row.state == "converted"


def test_a_supplier_of_nobody_is_no_filter_choice_that_breaks(as_user, alice, propose):
    propose()
    other = SupplierFactory()
    shown = as_user(alice).get(reverse("suggestions"), {"supplier": other.pk, "sort": "supplier"})
    assert len(shown.context["table"].rows) == 0
    assert as_user(alice).get(reverse("suggestions"), {"supplier": "x"}).status_code == 200
