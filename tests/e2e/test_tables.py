"""A table goes in and out through a real browser, on a desk and on a phone."""

import os
from pathlib import Path

import pytest

from catalog.models import Category, Run
from catalog.tasks import run_inline
from tests.factories import CategoryFactory
from tests.inventory.table_files import csv_text

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")
SHOTS = os.environ.get("SHOTS", "")


def shoot(page, name):
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)


def fits(page):
    """Nothing sticks out to the right."""
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize("width", [1440, 390])
def test_a_file_is_checked_looked_at_and_applied(
    signed_in_page, live_server, alice, settings, tmp_path, width
):
    settings.MEDIA_ROOT = tmp_path / "media"
    CategoryFactory(code="CUPS", name="Cups")
    good, bad = tmp_path / "categories.csv", tmp_path / "products.csv"
    good.write_text(csv_text("code,name", "CUPS,Cups and mugs", "LAMPS,Lamps"))
    bad.write_text(csv_text("sku,name,unit_cost,category", "A,a,1,CUPS", "B,,x,NONE"))
    page = signed_in_page(alice, width=width, height=900)
    page.goto(f"{live_server.url}/tables/")
    assert fits(page)
    shoot(page, f"tables-{width}")
    for table, path in (("products", bad), ("categories", good)):
        page.goto(f"{live_server.url}/tables/")
        page.get_by_label("Table", exact=True).select_option(table)
        page.get_by_label("File", exact=True).set_input_files(path)
        page.get_by_role("button", name="Check the file").click()
        page.wait_for_url("**/tables/imports/*/")
        for run in Run.objects.filter(state="queued"):
            run_inline(run, quiet=True)
        page.reload()
        assert fits(page)
        shoot(page, f"{table}-{width}")
    assert page.get_by_text("Cups and mugs").first.is_visible()
    page.get_by_role("button", name="Apply").click()
    page.wait_for_load_state()
    for run in Run.objects.filter(state="queued"):
        run_inline(run, quiet=True)
    page.reload()
    assert page.get_by_text("every row of the file").is_visible()
    assert Category.objects.get(code="CUPS").name == "Cups and mugs"
    with page.expect_download() as download:
        page.goto(f"{live_server.url}/tables/")
        page.get_by_role("link", name="Export Categories as CSV").click()
    assert "LAMPS,Lamps," in download.value.path().read_text(encoding="utf-8-sig")
