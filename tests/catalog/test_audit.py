"""Every step that was taken or refused leaves one entry, whatever became of its transaction."""

from decimal import Decimal

import pytest
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection, transaction
from django.db.utils import DatabaseError

from catalog import request_context
from catalog.models import AuditEntry, Supplier
from catalog.services import audit
from catalog.services.api_keys import issue_key, revoke_key
from catalog.services.audit import audited, describe_row, plain, record_change, recording
from catalog.services.defaults import update_planning_defaults
from inventory.models import ApprovalLimit, UserScope
from tests.factories import SupplierFactory, UserFactory

pytestmark = pytest.mark.django_db


@audited("supplier.rename", row=Supplier, pk="supplier_id")
@transaction.atomic
def rename(*, supplier_id, name, by, at):
    row = Supplier.objects.select_for_update().get(pk=supplier_id)
    row.name = name
    row.save()
    if name == "bad":
        raise ValidationError({"name": ValidationError("Not this one.", code="taste")})
    if name == "forbidden":
        raise PermissionDenied("Not you.")
    return row


@audited("supplier.create", row=Supplier, pk=None)
@transaction.atomic
def create(*, code, by, at):
    return Supplier.objects.get_or_create(code=code, defaults={"name": code})[0]


@pytest.fixture
def anna(db):
    return UserFactory(username="anna")


def entry():
    return AuditEntry.objects.get()


def test_a_step_says_who_when_and_what_changed(supplier, anna, noon):
    with recording(request_id="abc-12345"):
        rename(supplier_id=supplier.pk, name="Acme Ltd", by=anna, at=noon)
    found = entry()
    assert (found.actor, found.at, found.request_id) == (anna, noon, "abc-12345")
    assert (found.action, found.object_type, found.object_id) == (
        "supplier.rename", "catalog.supplier", str(supplier.pk),
    )  # fmt: skip
    assert (found.outcome, found.before["name"], found.after["name"]) == (
        "done",
        "Acme",
        "Acme Ltd",
    )


def test_a_refusal_says_why_and_shows_the_row_as_it_was(supplier, anna, noon):
    with pytest.raises(ValidationError):
        rename(supplier_id=supplier.pk, name="bad", by=anna, at=noon)
    found = entry()
    assert (found.outcome, found.code, found.message) == ("refused", "taste", "name: Not this one.")
    assert (found.before["name"], found.after) == ("Acme", {})
    supplier.refresh_from_db()
    assert supplier.name == "Acme"


def test_a_missing_right_is_a_refusal_too(supplier, anna, noon):
    with pytest.raises(PermissionDenied):
        rename(supplier_id=supplier.pk, name="forbidden", by=anna, at=noon)
    assert (entry().code, entry().message) == ("permission_denied", "Not you.")


def test_what_changes_nothing_leaves_no_entry(supplier, anna, noon):
    rename(supplier_id=supplier.pk, name="Acme", by=anna, at=noon)
    assert not AuditEntry.objects.exists()


def test_a_repeated_creation_leaves_one_entry(anna, noon):
    first = create(code="NEW", by=anna, at=noon)
    assert create(code="NEW", by=anna, at=noon) == first
    assert (entry().before, entry().after["code"]) == ({}, "NEW")


def refuse_inside_a_transaction(supplier, by, at):
    with recording(), pytest.raises(ValidationError), transaction.atomic():
        rename(supplier_id=supplier.pk, name="bad", by=by, at=at)


@pytest.mark.django_db(transaction=True)
def test_a_refusal_outlives_the_transaction_that_refused(supplier, anna, noon):
    refuse_inside_a_transaction(supplier, anna, noon)
    assert (entry().code, entry().actor) == ("taste", anna)


@pytest.mark.django_db(transaction=True)
def test_canary_written_at_once_a_refusal_is_rolled_back(supplier, anna, noon, monkeypatch):
    # without a context to wait in, the entry goes into the transaction that is about to be rolled back
    monkeypatch.setattr(audit, "recording_if_none", recording)
    monkeypatch.setattr(audit.request_context, "current", lambda: None)
    refuse_inside_a_transaction(supplier, anna, noon)
    assert not AuditEntry.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_without_an_outer_transaction_a_refusal_is_written_at_once(supplier, anna, noon):
    with recording() as context:
        with pytest.raises(ValidationError):
            rename(supplier_id=supplier.pk, name="bad", by=anna, at=noon)
        assert (context.pending, entry().code) == ([], "taste")


def test_an_error_that_passes_two_audited_steps_is_one_refusal(supplier, anna, noon):
    @audited("supplier.outer", row=Supplier, pk="supplier_id")
    def outer(*, supplier_id, by, at):
        return rename(supplier_id=supplier_id, name="bad", by=by, at=at)

    with pytest.raises(ValidationError):
        outer(supplier_id=supplier.pk, by=anna, at=noon)
    assert entry().action == "supplier.rename"


def test_before_is_what_the_lock_showed(supplier, anna, noon):
    @audited("supplier.locked", row=Supplier, pk="supplier_id")
    def locked(*, supplier_id, by, at):
        Supplier.objects.filter(pk=supplier_id).update(name="Meanwhile")
        row = Supplier.objects.get(pk=supplier_id)
        audit.saw(row)
        row.name = "Mine"
        row.save()
        return row

    locked(supplier_id=supplier.pk, by=anna, at=noon)
    assert (entry().before["name"], entry().after["name"]) == ("Meanwhile", "Mine")


def test_input_that_no_column_holds_is_still_a_refusal(supplier, anna, noon):
    @audited("supplier.hostile", row=Supplier, pk="supplier_id")
    def hostile(*, supplier_id, by, at):
        raise ValidationError("nul \x00, half \ud800, long " + "x" * 500, code="bad")

    with pytest.raises(ValidationError):
        hostile(supplier_id=supplier.pk, by=anna, at=noon)
    assert entry().message.startswith("nul �, half ?, long xxx")
    assert len(entry().message) == 300


def test_without_a_user_in_the_call_the_one_of_the_request_counts(supplier, anna, noon):
    with recording(user=anna):
        record_change(action="supplier.seen", row=supplier, by=None, at=noon)
    assert entry().actor == anna


def test_rows_are_described_without_secrets_and_long_texts(anna, noon):
    key, secret = issue_key(name="k", user=anna, scopes=["stock:read"], at=noon)
    facts = describe_row(key)
    assert facts["prefix"] == key.prefix
    assert "secret_hash" not in facts
    assert secret not in str(facts)


def test_equal_values_are_described_equally(supplier):
    assert plain(Decimal("3.10")) == plain(Decimal("3.1000")) == "3.1"
    assert plain(Decimal(100)) == "100"
    assert plain(float("nan")) == "nan"
    supplier.min_order_value = "5"
    assert describe_row(supplier)["min_order_value"] == "5"


def test_entries_cannot_be_changed(supplier, anna, noon):
    rename(supplier_id=supplier.pk, name="Acme Ltd", by=anna, at=noon)
    with pytest.raises(DatabaseError), transaction.atomic():
        AuditEntry.objects.update(message="nothing happened")


def test_no_context_stays_open(supplier, anna, noon):
    rename(supplier_id=supplier.pk, name="Acme Ltd", by=anna, at=noon)
    assert request_context.current() is None
    assert connection.in_atomic_block  # the test's own


def test_a_factory_row_is_not_audited():
    SupplierFactory()
    assert not AuditEntry.objects.exists()


# --- what is changed in the admin and by keys ----------------------------------------------------
@pytest.fixture
def chief(client, noon):
    user = UserFactory(username="chief", is_staff=True, is_superuser=True)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return user


def test_a_limit_changed_in_the_admin_is_in_the_log(client, chief, roles):
    limit = ApprovalLimit.objects.get(group__name="planner")
    address = f"/admin/inventory/approvallimit/{limit.pk}/change/"
    values = {"group": limit.group_id, "currency": "EUR", "max_line_value": "9000"}
    assert client.post(address, values).status_code == 302
    found = AuditEntry.objects.get()
    assert (found.actor, found.action) == (chief, "approvallimit.change")
    assert (found.before["max_line_value"], found.after["max_line_value"]) == ("2000", "9000")
    client.post(f"/admin/inventory/approvallimit/{limit.pk}/delete/", {"post": "yes"})
    gone = AuditEntry.objects.first()
    assert (gone.action, gone.before["max_line_value"], gone.after) == (
        "approvallimit.delete", "9000", {},
    )  # fmt: skip


def test_a_group_given_to_a_person_is_in_the_log(client, chief, roles, anna):
    planner = Group.objects.get(name="planner")
    address = f"/admin/auth/user/{anna.pk}/change/"
    page = client.get(address)
    values = {
        name: value
        for name, value in page.context["adminform"].form.initial.items()
        if value is not None and name not in ("password", "last_login", "date_joined")
    }
    values |= {
        "groups": [planner.pk], "is_active": "on", "last_login_0": "", "last_login_1": "",
        "date_joined_0": "2026-11-01", "date_joined_1": "12:00:00", "user_permissions": [],
    }  # fmt: skip
    values.pop("is_staff", None)
    values.pop("is_superuser", None)
    assert client.post(address, values).status_code == 302
    found = AuditEntry.objects.get(action="user.change")
    assert (found.before["groups"], found.after["groups"]) == ([], ["planner"])
    assert found.object_id == str(anna.pk)


def test_a_scope_changed_in_the_admin_is_in_the_log(client, chief, alice, warehouse):
    row = UserScope.objects.get(user=alice)
    client.post(
        f"/admin/inventory/userscope/{row.pk}/change/",
        {"user": alice.pk, "warehouses": [warehouse.pk]},
    )
    found = AuditEntry.objects.get(action="userscope.change")
    assert (found.before["warehouses"], found.after["warehouses"]) == ([], [str(warehouse)])


def test_planning_defaults_remember_who_switched_four_eyes_off(anna, noon):
    update_planning_defaults(changes={"four_eyes": False}, by=anna, at=noon)
    found = AuditEntry.objects.get()
    assert (found.actor, found.before["four_eyes"], found.after["four_eyes"]) == (anna, True, False)


def test_keys_are_issued_and_revoked_in_the_log_without_their_secret(anna, noon):
    with recording(user=anna):
        key, secret = issue_key(name="k", user=anna, scopes=["stock:read"], at=noon)
        revoke_key(key_id=key.pk, at=noon)
        revoke_key(key_id=key.pk, at=noon)
    issued, revoked = AuditEntry.objects.order_by("id")
    assert (issued.action, issued.actor) == ("api_key.issue", anna)
    assert (revoked.action, revoked.before["revoked_at"]) == ("api_key.revoke", None)
    assert secret.split("_")[-1] not in str(issued.after) + str(revoked.after)


@pytest.mark.django_db(databases="__all__")
def test_an_api_call_names_its_key(client, supplier, alice, propose, noon):
    row = propose()
    key, secret = issue_key(name="k", user=alice, scopes=["planning:write"], at=noon)
    answer = client.post(
        f"/api/v1/suggestions/{row.pk}/approve/",
        {"version": 99},
        content_type="application/json",
        headers={"authorization": f"Api-Key {secret}", "x-request-id": "shop-call-1"},
    )
    assert answer.status_code == 409
    found = AuditEntry.objects.get(outcome="refused")
    assert (found.code, found.actor, found.api_key, found.request_id) == (
        "stale_version", alice, key, "shop-call-1",
    )  # fmt: skip
