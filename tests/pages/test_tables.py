"""Tables in and out, as people and scripts do it."""

import io
import json

import openpyxl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.urls import reverse

from catalog.models import Category, Product, Run
from catalog.services.api_keys import issue_key
from catalog.tasks import run_inline
from inventory.models import TableImport, UserScope
from inventory.services.ledger import open_ledger
from inventory.services.tables import TABLES
from tests.factories import CategoryFactory, ProductFactory, UserFactory
from tests.inventory.table_files import csv_text
from tests.query_budget import assert_query_budget

pytestmark = pytest.mark.django_db(databases="__all__")
CATEGORIES = csv_text("code,name", "A,First", "B,Second")


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"


def upload(client, table, text, **fields):
    content = text.encode() if isinstance(text, str) else text
    name = fields.pop("file_name", f"{table}.csv")
    data = {"table": table, "file": SimpleUploadedFile(name, content), **fields}
    return client.post(reverse("table-upload"), data)


def work_off():
    """What a worker does: execute whatever waits."""
    for run in Run.objects.filter(state="queued").order_by("id"):
        run_inline(run, quiet=True)


@pytest.fixture
def sent(as_user, alice):
    """A checked import of two categories, and the client of who sent it."""
    client = as_user(alice)
    answer = upload(client, "categories", CATEGORIES)
    assert answer.status_code == 302
    work_off()
    return client, TableImport.objects.get()


def test_from_upload_to_applied(sent):
    client, row = sent
    page = client.get(reverse("table-import", args=[row.pk]))
    assert "Nothing is written yet" in page.content.decode()
    assert not Category.objects.exists()
    client.post(reverse("table-apply", args=[row.pk]))
    client.post(reverse("table-apply", args=[row.pk]))  # pressed twice: one run
    work_off()
    row.refresh_from_db()
    assert (row.state, Category.objects.count()) == ("applied", 2)
    assert Run.objects.filter(kind="import.table").count() == 2
    assert (
        "every row of the file"
        in client.get(reverse("table-import", args=[row.pk])).content.decode()
    )


def test_the_same_file_again_says_so(sent):
    client, row = sent
    client.post(reverse("table-apply", args=[row.pk]))
    work_off()
    upload(client, "categories", CATEGORIES)
    work_off()
    again = TableImport.objects.order_by("-pk").first()
    text = client.get(reverse("table-import", args=[again.pk])).content.decode()
    assert "The very same file was applied" in text
    assert "there is nothing to change" in text


def test_errors_are_shown_by_row_and_column_and_go_out_as_csv(as_user, alice):
    client = as_user(alice)
    upload(client, "products", csv_text("sku,name,unit_cost", "A,a,1", "B,b,=1+1", "C,,2"))
    work_off()
    row = TableImport.objects.get()
    text = client.get(reverse("table-import", args=[row.pk])).content.decode()
    assert "unit_cost" in text
    assert "is no number" in text
    assert "Mend the file" in text
    answer = client.get(reverse("table-errors", args=[row.pk]))
    lines = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()
    assert lines[1:] == [
        "3,unit_cost,is no number; write it as 1234.5,'=1+1", "4,name,is needed for a new row,",
    ]  # fmt: skip
    client.post(reverse("table-apply", args=[row.pk]))
    row.refresh_from_db()
    assert row.state == "checked"


def test_changes_are_shown_old_and_new(as_user, alice):
    CategoryFactory(code="A", name="<b>Old</b>")
    client = as_user(alice)
    upload(client, "categories", CATEGORIES)
    work_off()
    row = TableImport.objects.get()
    text = client.get(reverse("table-import", args=[row.pk]) + "?show=changed").content.decode()
    assert "&lt;b&gt;Old&lt;/b&gt;" in text
    assert "<ins>First</ins>" in text
    assert client.get(reverse("table-import", args=[row.pk]) + "?show=x").status_code == 200


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"text": "x", "file_name": "a.exe"}, "neither .csv nor .xlsx"),
        ({"text": "x", "table": "purchase_orders"}, "Select a valid choice"),
        ({"text": "x", "table": "suppliers"}, "Select a valid choice"),
        ({"text": ""}, "empty"),
        ({"text": "x", "opens_at": "never"}, "Enter a valid date/time"),
        ({"text": "x", "encoding": "ebcdic"}, "Select a valid choice"),
    ],
)
def test_a_wrong_upload_is_told_on_the_form(as_user, alice, fields, words):
    fields = {"table": "categories", **fields}
    answer = upload(as_user(alice), fields.pop("table"), fields.pop("text"), **fields)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not TableImport.objects.exists()


def test_a_file_that_is_refused_fails_with_its_reason(as_user, alice):
    client = as_user(alice)
    upload(client, "categories", "cod,name\r\nA,a\r\n")
    work_off()
    row = TableImport.objects.get()
    assert (row.state, row.error) == (
        "failed",
        "Unknown columns: cod (code?). Known: code, name, parent.",
    )
    assert "Unknown columns" in client.get(reverse("table-import", args=[row.pk])).content.decode()


# --- exports --------------------------------------------------------------------------------------------


def test_an_export_follows_the_filters_of_its_page(as_user, alice):
    ProductFactory(sku="MUG", name="Mug"), ProductFactory(sku="LAMP", name="Lamp")
    client = as_user(alice)
    answer = client.get(reverse("table-export", args=["products"]) + "?q=mug&format=csv")
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    assert [line.split(",")[0] for line in text.splitlines()] == ["sku", "MUG"]
    assert client.get(reverse("table-export", args=["products"]) + "?category=x").status_code == 302
    assert client.get(reverse("table-export", args=["nothing"])).status_code == 404
    assert client.get(reverse("table-export", args=["products"]) + "?format=pdf").status_code == 404


@pytest.mark.parametrize(
    ("page", "table"),
    [
        ("products", "products"), ("suppliers", "suppliers"), ("stock", "counts"),
        ("purchase-orders", "purchase_orders"),
    ],
)  # fmt: skip
def test_lists_offer_their_rows_as_a_file(as_user, alice, page, table):
    client = as_user(alice)
    text = client.get(reverse(page) + "?q=mug").content.decode()
    (address,) = [
        part.split('"')[0] for part in text.split('href="') if f"/{table}/export/" in part[:60]
    ]
    assert "q=mug" in address
    assert client.get(address.replace("&amp;", "&")).status_code == 200


def test_a_spreadsheet_holds_texts_as_texts(as_user, alice):
    ProductFactory(sku="A", name="=1+1")
    answer = as_user(alice).get(reverse("table-export", args=["products"]) + "?format=xlsx")
    sheet = openpyxl.load_workbook(io.BytesIO(b"".join(answer.streaming_content))).active
    assert (sheet["B2"].value, sheet["B2"].data_type) == ("'=1+1", "s")


def test_exports_keep_to_the_scope(as_user, alice, warehouse, noon):
    mine, other = CategoryFactory(code="MINE"), CategoryFactory(code="OTHER")
    first = ProductFactory(sku="IN", category=mine)
    second = ProductFactory(sku="OUT", category=other)
    open_ledger(warehouse=warehouse, balances={first.pk: 3, second.pk: 4}, at=noon)
    UserScope.objects.get(user=alice).categories.add(mine)
    client = as_user(alice)
    for name in TABLES:
        answer = client.get(reverse("table-export", args=[name]))
        assert answer.status_code == 200, name
        text = b"".join(answer.streaming_content).decode()
        assert "OUT" not in text, name
        assert "OTHER" not in text, name


def test_imports_of_others_are_not_shown_to_who_sees_a_part(as_user, sent, make_user):
    _client, row = sent
    anna = make_user("anna", "planner")
    assert as_user(anna).get(reverse("table-import", args=[row.pk])).status_code == 200
    UserScope.objects.get(user=anna).categories.add(CategoryFactory())
    assert as_user(anna).get(reverse("table-import", args=[row.pk])).status_code == 404
    assert as_user(anna).get(reverse("table-errors", args=[row.pk])).status_code == 404
    assert as_user(anna).post(reverse("table-apply", args=[row.pk])).status_code == 404


def test_a_viewer_exports_and_does_not_import(as_user, eve):
    client = as_user(eve)
    text = client.get(reverse("tables")).content.decode()
    assert "Check the file" not in text
    assert "Export Products as CSV" in text
    assert upload(client, "categories", CATEGORIES).status_code == 403


def test_the_list_stays_within_its_budget(as_user, alice, noon):
    client = as_user(alice)
    for number in range(5):
        TableImport.objects.create(
            table="products", file_name=f"{number}.csv", sha256="0" * 64, by=alice, created_at=noon
        )
    assert_query_budget(client, "tables")


# --- API --------------------------------------------------------------------------------------------------


@pytest.fixture
def key(alice, noon):
    _key, text = issue_key(
        name="script", user=alice, scopes=["catalog:read", "catalog:write"], at=noon
    )
    return {"HTTP_AUTHORIZATION": f"Api-Key {text}"}


def post_file(client, key, table, text, headers=None, **fields):
    data = {"file": SimpleUploadedFile(fields.pop("file_name", "t.csv"), text.encode()), **fields}
    return client.post(f"/api/v1/tables/{table}/import/", data, **key, **(headers or {}))


def test_a_script_sends_checks_and_applies(client, key):
    answer = post_file(client, key, "categories", CATEGORIES)
    assert (answer.status_code, answer.json()["state"]) == (202, "checking")
    work_off()
    address = f"/api/v1/tables/imports/{answer.json()['id']}/"
    found = client.get(address, **key).json()
    assert (found["state"], found["rows_new"], found["errors"]) == ("checked", 2, [])
    rows = client.get(address + "rows/?outcome=new&after=2", **key).json()
    assert [row["values"] for row in rows] == [{"code": "B", "name": "Second"}]
    assert client.post(address + "apply/", **key).status_code == 202
    work_off()
    assert client.get(address, **key).json()["state"] == "applied"
    assert client.post(address + "apply/", **key).json()["state"] == "applied"
    text = b"".join(
        client.get("/api/v1/tables/categories/export/?format=csv", **key).streaming_content
    )
    assert text.decode() == "code,name,parent\r\nA,First,\r\nB,Second,\r\n"


def test_without_a_dry_run_it_is_applied_at_once_unless_a_row_is_wrong(client, key):
    post_file(client, key, "categories", CATEGORIES, dry_run="false")
    post_file(client, key, "categories", csv_text("code,name", "C,c", "D,"), dry_run="false")
    work_off()
    assert sorted(Category.objects.values_list("code", flat=True)) == ["A", "B"]
    assert list(TableImport.objects.order_by("pk").values_list("state", "rows_wrong")) == [
        ("applied", 0), ("checked", 1),
    ]  # fmt: skip


def test_a_repeated_key_has_one_effect_and_another_file_under_it_is_refused(client, key):
    headers = {"HTTP_IDEMPOTENCY_KEY": "one"}
    first = post_file(client, key, "categories", CATEGORIES, headers)
    again = post_file(client, key, "categories", CATEGORIES, headers)
    assert first.json()["id"] == again.json()["id"]
    other = post_file(client, key, "categories", CATEGORIES + "C,c\r\n", headers)
    assert (other.status_code, TableImport.objects.count()) == (422, 1)


@pytest.mark.parametrize(
    ("table", "fields", "status", "field"),
    [
        ("nothing", {}, 404, ""),
        ("purchase_orders", {}, 400, "table"),
        ("suppliers", {}, 403, ""),
        ("opening_stock", {}, 403, ""),
        ("categories", {"file_name": "x.pdf"}, 400, "file"),
        ("categories", {"dry_run": "maybe"}, 400, "dry_run"),
        ("categories", {"encoding": "x" * 30}, 400, "encoding"),
        ("categories", {"encoding": "x\x00"}, 400, "encoding"),
        ("categories", {"opens_at": "99999-01-01"}, 400, "opens_at"),
        ("categories", {"more": "x"}, 400, "more"),
    ],
)
def test_a_wrong_request_names_its_field(client, key, table, fields, status, field):
    answer = post_file(client, key, table, "code,name\r\n", **fields)
    assert answer.status_code == status, answer.content
    if field:
        assert {error["field"] for error in answer.json()["errors"]} == {field}


@pytest.mark.parametrize(
    "address",
    [
        "/api/v1/tables/products/export/?nothing=1",
        "/api/v1/tables/products/export/?lifecycle=zombie&format=csv",
        "/api/v1/tables/imports/1/rows/?after=x",
        "/api/v1/tables/imports/1/rows/?outcome=x",
    ],
)
def test_unknown_parameters_are_refused(client, key, address):
    assert client.get(address, **key).status_code == 400


def test_a_file_is_needed(client, key):
    answer = client.post("/api/v1/tables/categories/import/", {}, **key)
    assert answer.json()["errors"][0]["field"] == "file"


def test_a_key_needs_the_scope_of_the_table(client, alice, noon):
    _key, text = issue_key(name="reader", user=alice, scopes=["catalog:read"], at=noon)
    key = {"HTTP_AUTHORIZATION": f"Api-Key {text}"}
    assert post_file(client, key, "categories", CATEGORIES).json()["code"] == "missing_scope"
    answer = client.get("/api/v1/tables/counts/export/", **key)
    assert answer.json()["code"] == "missing_scope"
    listed = client.get("/api/v1/tables/", **key).json()
    assert {one["name"] for one in listed if one["may_import"]} == {
        "categories",
        "products",
        "prices",
    }


# --- commands -----------------------------------------------------------------------------------------------


@pytest.fixture
def operator(db):
    return UserFactory(username="operator", is_superuser=True)


def test_commands_bring_a_table_in_and_out(operator, tmp_path, capsys):
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text(csv_text("sku,name", "A,One"), newline="")
    call_command("import_table", "products", str(source), "--by", "operator", "--json")
    assert json.loads(capsys.readouterr().out)["new"] == 1
    assert not Product.objects.exists()
    call_command("import_table", "products", str(source), "--by", "operator", "--apply", "--json")
    assert Product.objects.get().name == "One"
    call_command("export_table", "products", "--by", "operator", "--out", str(target))
    assert target.read_text(encoding="utf-8-sig").splitlines()[1].startswith("A,One,")
    call_command("export_table", "products", "--by", "operator", "--out", str(tmp_path / "o.xlsx"))
    call_command("import_table", "products", str(tmp_path / "o.xlsx"), "--by", "operator", "--json")
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["unchanged"] == 1


def test_commands_say_what_is_wrong(operator, tmp_path):
    source = tmp_path / "in.csv"
    source.write_text(csv_text("sku,unit_cost", "A,x"), newline="")
    with pytest.raises(CommandError, match="1 rows have errors"):
        call_command("import_table", "products", str(source), "--by", "operator", "--apply")
    with pytest.raises(CommandError, match="no active user"):
        call_command("import_table", "products", str(source), "--by", "nobody")
    UserFactory(username="weak")
    with pytest.raises(CommandError, match="permission"):
        call_command("import_table", "products", str(source), "--by", "weak")
    with pytest.raises(CommandError, match="no time"):
        call_command(
            "import_table", "products", str(source), "--by", "operator", "--opens-at", "soon"
        )
