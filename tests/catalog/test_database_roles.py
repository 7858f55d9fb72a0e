"""The application's role on PostgreSQL: normal work passes, and the ledger only grows."""

from io import StringIO

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.utils import DatabaseError, IntegrityError, ProgrammingError

from catalog.database_roles import append_only_tables, as_owner, wrong_grants
from catalog.models import Product
from inventory.models import StockLevel, StockMovement, Warehouse
from inventory.services.ledger import LotShare, post_movement, reverse_movement
from inventory.services.seals import seal_ledger
from inventory.services.suggestions import approve_suggestion
from inventory.services.verification import verify_ledger
from tests.factories import ProductFactory

ROLE = "granary_test_app"
PASSWORD = "of-no-use-elsewhere"

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


def run(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)


def sign_in(user, password):
    connection.close()
    connection.settings_dict.update({"USER": user, "PASSWORD": password})


def set_up(**options):
    call_command("setup_database_roles", "--app-role", ROLE, stdout=StringIO(), **options)


@pytest.fixture
def owner(settings):
    """What DATABASE_OWNER_URL would say; afterwards the role and its traces are gone."""
    there = dict(connection.settings_dict)
    settings.DATABASE_OWNER = {**there, "NAME": ""}
    yield there
    sign_in(there["USER"], there["PASSWORD"])
    settings.DATABASE_OWNER = None
    for table in append_only_tables():
        run(f"COMMENT ON TABLE {table} IS NULL")
    run(f"DROP OWNED BY {ROLE}; DROP ROLE {ROLE}")


@pytest.fixture
def application(owner):
    """This connection signed in as the application's role."""
    set_up()
    run(f"ALTER ROLE {ROLE} PASSWORD '{PASSWORD}'")
    sign_in(ROLE, PASSWORD)
    yield
    sign_in(owner["USER"], owner["PASSWORD"])


@pytest.fixture
def movement(product, warehouse, noon):
    return post_movement(
        product_id=product.pk, warehouse_id=warehouse.pk, kind="opening", quantity=9, at=noon,
        idempotency_key="open",
    )  # fmt: skip


def test_normal_work_passes(propose, alice, application, warehouse, noon):
    milk = ProductFactory(tracks_lots=True)
    at = {"warehouse_id": warehouse.pk, "at": noon}
    lots = (LotShare("A", 9),)
    delivery = post_movement(
        **at, product_id=milk.pk, kind="receipt", quantity=9, idempotency_key="in", lots=lots
    )
    post_movement(**at, product_id=milk.pk, kind="sale", quantity=-4, idempotency_key="out")
    reverse_movement(
        movement_id=post_movement(
            **at, product_id=milk.pk, kind="write_off", quantity=-1, idempotency_key="off"
        ).pk,
        at=noon, idempotency_key="undo",
    )  # fmt: skip
    assert approve_suggestion(suggestion_id=propose().pk, by=alice, at=noon, version=1).order_line
    assert seal_ledger(at=noon).last_id > delivery.pk
    assert verify_ledger() == []
    assert wrong_grants(connection) == []
    Product.objects.filter(pk=milk.pk).update(name="Milk")


@pytest.mark.parametrize("statement", [
    "UPDATE inventory_stockmovement SET note = 'x'",
    "DELETE FROM inventory_stockmovement",
    "TRUNCATE inventory_stockmovement CASCADE",
    "ALTER TABLE inventory_stockmovement DISABLE TRIGGER ALL",
    "ALTER TABLE inventory_stockmovement DISABLE TRIGGER guard_inventory_stockmovement_balance",
    "DROP TRIGGER guard_inventory_stockmovement_balance ON inventory_stockmovement",
    "SET session_replication_role = replica",
    "DROP FUNCTION guard_inventory_stockmovement_no_change() CASCADE",
    "CREATE OR REPLACE FUNCTION guard_inventory_stockmovement_balance() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$",
    "ALTER TABLE inventory_stocklevel DROP CONSTRAINT on_hand_not_negative",
    "DROP TABLE inventory_ledgerseal CASCADE",
    "UPDATE inventory_ledgerseal SET rows = 0",
    "DELETE FROM catalog_auditentry",
    "UPDATE inventory_lotentry SET quantity = 1",
    "DELETE FROM django_migrations",
    "CREATE TABLE mine (id int)",
])  # fmt: skip
def test_the_role_cannot_get_round_the_rules(movement, application, statement):
    with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"):
        run(statement)
    assert StockMovement.objects.get().note == ""


def test_canary_the_owner_can(movement, owner):
    set_up()
    run(
        "BEGIN; ALTER TABLE inventory_stockmovement DISABLE TRIGGER ALL; "
        "UPDATE inventory_stockmovement SET note = 'x'; COMMIT; "
        "ALTER TABLE inventory_stockmovement ENABLE TRIGGER ALL"
    )
    assert StockMovement.objects.get().note == "x"


def test_a_temporary_table_does_not_take_the_place_of_ours(movement, application, noon):
    Warehouse.objects.update(open_from=noon.replace(hour=13))
    run(
        "CREATE TEMP TABLE inventory_warehouse (id bigint, open_from timestamptz); "
        "CREATE TEMP TABLE inventory_stockmovement (LIKE public.inventory_stockmovement)"
    )
    columns = "product_id, warehouse_id, kind, at, recorded_at, document, note, is_backdated"
    with pytest.raises(IntegrityError, match=r"closed|balance"):
        run(
            f"INSERT INTO public.inventory_stockmovement ({columns}, quantity, balance_after, "
            f"idempotency_key) SELECT {columns}, 5, 5, 'forged' FROM public.inventory_stockmovement"
        )
    connection.close()


def test_the_check_names_what_is_too_wide_and_what_is_missing(application, owner):
    assert wrong_grants(connection) == []
    sign_in(owner["USER"], owner["PASSWORD"])
    run(f"GRANT UPDATE (note), TRUNCATE ON inventory_stockmovement TO {ROLE}")
    run(f"REVOKE INSERT ON inventory_sale FROM {ROLE}")
    run(f"REVOKE ALL ON SEQUENCE inventory_sale_id_seq FROM {ROLE}")
    sign_in(ROLE, PASSWORD)
    assert wrong_grants(connection) == [
        f'role "{ROLE}" may not INSERT inventory_sale',
        f'role "{ROLE}" may TRUNCATE inventory_stockmovement',
        f'role "{ROLE}" may UPDATE inventory_stockmovement',
        f'role "{ROLE}" may not use inventory_sale_id_seq',
    ]
    with pytest.raises(CommandError, match="may TRUNCATE"):
        call_command("check_db_guards")
    set_up()
    assert wrong_grants(connection) == []


def test_a_server_signed_in_as_superuser_or_owner_is_told_so(application, owner):
    sign_in(owner["USER"], owner["PASSWORD"])
    (found,) = wrong_grants(connection)
    assert f'sign in as "{ROLE}"' in found
    run(f"ALTER TABLE inventory_decision OWNER TO {ROLE}")
    try:
        sign_in(ROLE, PASSWORD)
        assert f'role "{ROLE}" owns inventory_decision' in wrong_grants(connection)
    finally:
        sign_in(owner["USER"], owner["PASSWORD"])
        run(f"ALTER TABLE inventory_decision OWNER TO {owner['USER']}")


def test_one_role_for_everything_is_no_error():
    assert wrong_grants(connection) == []


def test_migrate_runs_as_the_owner_and_grants_what_is_new(application, owner):
    with as_owner(connection) as role:
        assert role == ROLE
        run(f"REVOKE INSERT ON inventory_sale FROM {ROLE}")
        run("CREATE TABLE later (id serial PRIMARY KEY)")
    try:
        run("INSERT INTO later DEFAULT VALUES")  # by the default privileges
        call_command("migrate", verbosity=0)
        assert connection.settings_dict["USER"] == ROLE
        assert wrong_grants(connection) == []
    finally:
        with as_owner(connection):
            run("DROP TABLE later")


def test_the_statements_can_be_read_first(owner):
    out = StringIO()
    call_command("setup_database_roles", "--app-role", ROLE, "--sql", stdout=out)
    text = out.getvalue()
    assert f'GRANT SELECT, INSERT ON "inventory_stockmovement" TO "{ROLE}";' in text
    assert f'GRANT SELECT, INSERT, UPDATE, DELETE ON "inventory_stocklevel" TO "{ROLE}";' in text
    with pytest.raises(DatabaseError):
        run(f"SET ROLE {ROLE}")
    run(f"CREATE ROLE {ROLE}")  # for the end of the fixture


def test_the_owner_is_no_application_role_and_databases_do_not_mix(settings):
    with pytest.raises(CommandError, match="owns the tables"):
        call_command("setup_database_roles", "--app-role", connection.settings_dict["USER"])
    settings.DATABASE_OWNER = {**connection.settings_dict, "NAME": "elsewhere"}
    with pytest.raises(ImproperlyConfigured), as_owner(connection):
        pass


def test_levels_are_not_append_only(movement, application):
    StockLevel.objects.update(reserved=1)
    StockLevel.objects.update(reserved=0)
