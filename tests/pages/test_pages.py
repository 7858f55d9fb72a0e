"""Every page: it declares who may see it, renders with nothing and with something, and tells apart 403 and 404."""

import uuid

import pytest
from django.contrib.auth.mixins import PermissionRequiredMixin
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import get_resolver, reverse

from catalog.models import PlanningDefaults, Run
from catalog.services.runs import enqueue_run
from forecasting.models import Artifact, Backtest
from inventory.models import ImportBatch
from tests.architecture.test_routes import routes
from tests.factories import ProductFactory, SupplierProductFactory, WarehouseFactory

pytestmark = pytest.mark.django_db(databases="__all__")

LISTS = [
    "today", "suggestions", "approvals", "purchase-orders", "stock", "products", "suppliers",
    "imports", "runs", "models", "planning-defaults", "setup", "recommendations",
]  # fmt: skip


def page_classes():
    for route, _name, pattern in routes(get_resolver("config.urls").url_patterns):
        view = getattr(pattern.callback, "view_class", None)
        if view is not None and not route.startswith("api/") and view.__module__.split(".")[0] in {
            "config", "catalog", "inventory", "forecasting", "recommendations",
        }:  # fmt: skip
            yield route, view


def test_every_page_declares_its_permission():
    found = dict(page_classes())
    assert len(found) > 15
    undeclared = [
        route
        for route, view in found.items()
        if not issubclass(view, PermissionRequiredMixin) or view.permission_required is None
    ]
    assert undeclared == []


@pytest.mark.parametrize("name", LISTS)
def test_pages_render_with_nothing_in_them(as_user, eve, name):
    answer = as_user(eve).get(reverse(name))
    assert answer.status_code == 200
    assert b"<h1>" in answer.content


@pytest.mark.parametrize("name", LISTS[1:])
def test_pages_are_closed_to_a_person_without_a_role(as_user, make_user, name):
    answer = as_user(make_user("nobody")).get(reverse(name))
    assert answer.status_code == 403
    assert "permission" in answer.content.decode()


def test_today_tells_a_person_without_a_role_what_to_do(as_user, make_user):
    answer = as_user(make_user("nobody")).get(reverse("today"))
    assert answer.status_code == 200
    assert "no role" in answer.content.decode()


def test_today_counts_what_waits_and_links_to_it(as_user, alice, propose, stocked):
    propose()
    propose(
        product=stocked, kind="transfer", urgency="stocked_out",
        source_warehouse_id=WarehouseFactory().pk,
    )  # fmt: skip
    answer = as_user(alice).get(reverse("today"))
    tiles = {tile.address.partition("?")[2]: tile for tile in answer.context["order_tiles"]}
    assert tiles["urgency=today"].count == 1
    assert [str(value) for _currency, value in tiles["urgency=today"].money] == ["223.2"]
    assert tiles["urgency=stocked_out"].count == 1
    assert tiles["urgency=later"].count == 0


def test_today_never_shows_a_failed_plan_as_nothing_to_do(as_user, alice, noon):
    Run.objects.create(kind="orders.suggest", state="failed", created_at=noon, due_at=noon)
    answer = as_user(alice).get(reverse("today")).content.decode()
    assert "The last plan failed." in answer
    assert "Nothing to order." not in answer


def test_today_says_when_it_was_checked(as_user, alice, noon):
    Run.objects.create(
        kind="orders.suggest", state="succeeded", created_at=noon, due_at=noon, finished_at=noon
    )
    answer = as_user(alice).get(reverse("today")).content.decode()
    assert "Nothing to order." in answer
    assert "23 Nov 12:00" in answer


def test_stock_and_ledger_of_a_product(as_user, eve, frank, stocked, warehouse):
    address = reverse("stock-item", args=[stocked.sku, warehouse.code])
    answer = as_user(eve).get(address)
    assert answer.context["position"].on_hand == 30
    assert [row.record.balance_after for row in answer.context["table"].paginated_rows] == [30]
    assert answer.context["balance"]["points"][-1][1] == 30
    assert len(as_user(eve).get(reverse("stock"), {"show": "in"}).context["table"].rows) == 1
    # nothing of it for a person whose scope is empty
    assert as_user(frank).get(address).status_code == 404
    assert len(as_user(frank).get(reverse("stock")).context["table"].rows) == 0


def test_product_and_supplier_pages(as_user, eve, frank, stocked, supplier, propose):
    propose()
    product = as_user(eve).get(reverse("product", args=[stocked.sku]))
    assert product.context["product"].on_hand == 30
    assert supplier.name in product.content.decode()
    page = as_user(eve).get(reverse("supplier", args=[supplier.code]))
    assert stocked.sku in page.content.decode()
    assert as_user(frank).get(reverse("product", args=[stocked.sku])).status_code == 404
    assert as_user(frank).get(reverse("supplier", args=[supplier.code])).status_code == 404
    assert len(as_user(frank).get(reverse("products")).context["table"].rows) == 0


def test_the_checklist_leads_to_the_products_that_lack_a_fact(as_user, eve, product):
    known = ProductFactory(category=product.category)
    SupplierProductFactory(product=known, lead_time_assumed=True)
    client = as_user(eve)
    codes = {one["code"]: one["fact"] for one in client.get(reverse("setup")).context["facts"]}
    assert codes["lead_time_assumed"].product_count == 1
    listed = client.get(reverse("products"), {"lacks": "lead_time_assumed"})
    assert [row.record.sku for row in listed.context["table"].paginated_rows] == [known.sku]


def test_a_run_shows_its_progress_error_and_curve(as_user, eve, noon):
    run = Run.objects.create(
        kind="demand.train", state="failed", created_at=noon, due_at=noon, error="Out of memory",
        attempt=3, progress=0.4,
    )  # fmt: skip
    Artifact.objects.create(
        purpose="demand", engine="lstm", path="x", manifest_sha256="0" * 64, run=run, created_at=noon,
        learning_curve=[[0, 1.0, 1.1], [50, 0.8, 0.9]],
    )  # fmt: skip
    Backtest.objects.create(
        run=run, purpose="demand", grain="D", origins=["2026-11-01"], horizon=28, created_at=noon,
        results={"lstm": {"wape": 0.41, "bias": -0.2}, "sba": {"wape": 0.52, "bias": 0.1}},
    )  # fmt: skip
    answer = as_user(eve).get(reverse("run", args=[run.pk]))
    assert "Out of memory" in answer.content.decode()
    assert answer.context["curves"][0][1]["series"][1]["data"] == [1.1, 0.9]
    ((_backtest, table),) = answer.context["backtests"]
    assert [row["model"] for row in table["rows"]] == ["lstm", "sba"]
    assert [[cell["is_best"] for cell in row["cells"]] for row in table["rows"]] == [
        [True, False], [False, True],
    ]  # fmt: skip
    part = as_user(eve).get(reverse("run-progress", args=[run.pk]))
    assert b"<html" not in part.content
    assert b"hx-trigger" not in part.content  # it has ended: nobody asks again


def test_a_waiting_run_is_asked_again_and_can_be_cancelled(as_user, alice, eve, noon):
    run = enqueue_run(kind="demand.forecast", at=noon, parameters={"n": str(uuid.uuid4())})
    assert b"every 2s" in as_user(eve).get(reverse("run-progress", args=[run.pk])).content
    address = reverse("run-act", args=[run.pk, "cancel"])
    assert as_user(eve).post(address).status_code == 403
    assert as_user(alice).post(address).status_code == 302
    run.refresh_from_db()
    assert run.state == "cancelled"
    as_user(alice).post(reverse("run-act", args=[run.pk, "retry"]))
    run.refresh_from_db()
    assert run.state == "queued"


def test_planning_defaults_are_saved_and_checked(as_user, alice, eve):
    address = reverse("planning-defaults")
    client = as_user(alice)
    form = client.get(address).context["form"]
    data = {name: form.initial[name] for name in form.fields if form.initial[name] is not None}
    answer = client.post(address, {**data, "lead_time_days": 21})
    assert answer.status_code == 302
    assert PlanningDefaults.objects.get().lead_time_days == 21
    wrong = client.post(address, {**data, "target_cycle_service_level": 7})
    assert wrong.status_code == 422
    assert "target_cycle_service_level" in wrong.context["form"].errors
    assert as_user(eve).post(address, data).status_code == 403


def test_an_import_takes_the_file_in_and_queues_its_run(as_user, alice, eve, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    text = b"Invoice,StockCode,Quantity\n1,A,2\n"
    data = {
        "preset": "online-retail", "dry_run": "1", "warehouse": "MAIN", "encoding": "utf-8",
        "file": SimpleUploadedFile("sales.csv", text),
    }  # fmt: skip
    address = reverse("import-upload")
    assert (
        as_user(eve).post(address, {**data, "file": SimpleUploadedFile("s.csv", text)}).status_code
        == 403
    )
    client = as_user(alice)
    answer = client.post(address, data)
    batch = ImportBatch.objects.get()
    assert answer["Location"] == reverse("import", args=[batch.pk])
    assert batch.options["dry_run"] is True
    assert Run.objects.get().parameters == {"batch_id": batch.pk}
    assert client.get(reverse("import", args=[batch.pk])).status_code == 200


def test_a_file_of_another_type_is_refused_on_the_form(as_user, alice):
    data = {"preset": "online-retail", "file": SimpleUploadedFile("sales.exe", b"MZ")}
    answer = as_user(alice).post(reverse("import-upload"), data)
    assert answer.status_code == 422
    assert "file" in answer.context["form"].errors
    assert not ImportBatch.objects.exists()
    assert not Run.objects.exists()


def test_the_report_of_an_import_adds_up(as_user, eve, noon):
    report = {
        "rows_read": 10,
        "rows": [
            {"code": "sale", "kind": "imported", "rows": 7},
            {"code": "postage", "kind": "set_aside", "rows": 2},
            {"code": "rejected", "kind": "rejected", "rows": 1},
        ],
        "rejected": [{"line": 4, "column": "Quantity", "code": "not_a_number", "value": "six"}],
    }
    batch = ImportBatch.objects.create(
        preset="online-retail", file_name="a.csv", state="dry_run", created_at=noon, report=report
    )
    answer = as_user(eve).get(reverse("import", args=[batch.pk]))
    assert answer.context["adds_up"]
    assert answer.context["rows_total"] == 10
    assert "is not a number" in answer.content.decode()
    report["rows_read"] = 11
    ImportBatch.objects.update(report=report)
    assert (
        "does not add up" in as_user(eve).get(reverse("import", args=[batch.pk])).content.decode()
    )


def test_what_does_not_exist_is_a_page_too(as_user, eve):
    answer = as_user(eve).get("/nowhere/")
    assert answer.status_code == 404
    assert b"There is nothing here" in answer.content


def test_the_language_can_be_switched(as_user, eve):
    client = as_user(eve)
    client.post(reverse("set_language"), {"language": "zh-hans", "next": "/"})
    assert 'lang="zh-hans"' in client.get("/").content.decode()


def test_a_wrong_password_is_said_and_a_lock_has_its_page(client, alice, settings):
    settings.AXES_ENABLED = True
    address = reverse("login")
    wrong = {"username": "alice", "password": "wrong"}
    first = client.post(address, wrong)
    assert first.status_code == 200
    assert first.context["form"].errors
    for _number in range(5):
        last = client.post(address, wrong)
    assert last.status_code == 429
    assert "Too many wrong passwords" in last.content.decode()
