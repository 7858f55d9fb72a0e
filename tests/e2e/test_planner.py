"""A planner's morning in a real browser: from the log-in to the ledger, on a desk and on a phone.

The fixture `browser_page` fails a test whose pages write an error to the console, which is also how a breach
of the Content-Security-Policy shows.
"""

import re
from dataclasses import replace

import pytest
from playwright.sync_api import Page, expect

from inventory.models import Decision, Suggestion
from inventory.services.ledger import post_movement
from inventory.services.suggestions import propose_orders
from tests.factories import ProductFactory, SupplierProductFactory
from tests.pages.conftest import rationale

__all__ = ["rationale"]  # a fixture of the page tests, used here too
pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)
PASSWORD = "correct horse battery"


@pytest.fixture
def morning(proposal, supplier, warehouse, noon, rationale):
    """Four open suggestions of Acme: one stocked out, three for today; one lies in stock already."""
    proposals = []
    for number, urgency in enumerate(["stocked_out", "today", "today", "today"]):
        product = ProductFactory(sku=f"LAMP-{number}", name=f"Storm lantern {number}")
        SupplierProductFactory(product=product, supplier=supplier)
        proposals.append(
            replace(proposal, product_id=product.pk, urgency=urgency, rationale=rationale)
        )
    post_movement(
        product_id=proposals[1].product_id, warehouse_id=warehouse.pk, kind="opening", quantity=30,
        at=noon, idempotency_key="opening", document="opening count",
    )  # fmt: skip
    propose_orders(proposals=proposals, run_id=None, at=noon, covered=[])


def log_in(page: Page, server: str, name: str) -> None:
    page.goto(f"{server}/")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Today", level=1)).to_be_visible()


def log_out(page: Page) -> None:
    page.locator(".user-menu summary").click()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("button", name="Log in")).to_be_visible()


def test_from_today_to_the_ledger(browser_page, live_server, alice, carol, dave, morning):
    page = browser_page(width=1440, height=900)
    log_in(page, live_server.url, "alice")

    page.get_by_role("link", name=re.compile("Order today")).click()
    rows = page.locator(".planning-grid tbody tr[data-row]")
    expect(rows).to_have_count(3)
    page.get_by_label("Search").fill("lantern 1")
    expect(rows).to_have_count(1)
    expect(page).to_have_url(re.compile("q=lantern"))

    # another quantity asks for its reason, and the answer comes into the row
    quantity = page.get_by_label("Quantity to order of LAMP-1")
    quantity.fill("96")
    expect(rows.get_by_label("Reason")).to_be_visible()
    rows.get_by_label("Reason").select_option("customer_order")
    page.get_by_role("button", name="Approve LAMP-1").click()
    expect(rows.get_by_text("Ordered")).to_be_visible()
    decision = Decision.objects.get()
    assert (decision.action, decision.quantity, decision.reason.code) == (
        "override", 96, "customer_order",
    )  # fmt: skip

    # the others together: asked once, told row by row
    page.goto(f"{live_server.url}/suggestions/?urgency=today")
    expect(rows).to_have_count(2)
    page.get_by_label("This page").check()
    expect(page.locator("[data-bulk-count]")).to_have_text("2")
    page.get_by_role("button", name="Approve…").click()
    expect(page.get_by_role("heading", name="Approve 2 suggestions?")).to_be_visible()
    page.get_by_role("button", name="Approve them").click()
    expect(page.get_by_text("2 done")).to_be_visible()
    assert Suggestion.objects.filter(state="converted").count() == 3
    log_out(page)

    log_in(page, live_server.url, "carol")
    menu = page.get_by_role("navigation", name="Main menu")
    menu.get_by_text("Purchasing", exact=True).click()
    menu.get_by_role("link", name="Purchase orders", exact=True).click()
    page.locator("table tbody a").first.click()
    page.get_by_role("button", name="Submit").click()
    page.get_by_role("button", name="Mark as sent").click()
    expect(page.get_by_text("Sent").first).to_be_visible()
    address = page.url
    log_out(page)

    log_in(page, live_server.url, "dave")
    page.goto(address)
    page.get_by_label("LAMP-1 Storm lantern 1").fill("60")
    for other in ("LAMP-2", "LAMP-3"):
        page.get_by_label(re.compile(other)).fill("0")
    page.get_by_label("Delivery note").fill("LS-77")
    page.get_by_role("button", name="Record the receipt").click()
    expect(page.get_by_text("60 units received.")).to_be_visible()
    expect(page.get_by_text("Partly received").first).to_be_visible()
    page.get_by_role("link", name="LAMP-1").click()
    ledger = page.locator("section", has=page.get_by_role("heading", name="Ledger"))
    first = ledger.locator("tbody tr").first
    expect(first).to_contain_text("Receipt")
    expect(first).to_contain_text("+60")
    expect(first).to_contain_text("90")


def test_the_detail_page_draws_its_charts_and_decides(signed_in_page, live_server, alice, morning):
    page = signed_in_page(alice)
    row = Suggestion.objects.order_by("id").first()
    page.goto(f"{live_server.url}/suggestions/{row.pk}/")
    expect(page.locator("[data-chart] canvas")).to_have_count(3)
    for chart in page.locator("[data-chart] canvas").all():
        # a canvas on which nothing was drawn has one colour
        colours = chart.evaluate(
            "c => new Set(new Uint32Array(c.getContext('2d').getImageData(0, 0, c.width, c.height)"
            ".data.buffer)).size"
        )
        assert colours > 5
    page.get_by_label("Reason").select_option("budget")
    page.get_by_role("button", name="Reject").click()
    row.refresh_from_db()
    assert row.state == "rejected"
    # the next one of the queue is open already
    expect(page.get_by_role("heading", level=1)).to_contain_text("LAMP-1")


def test_the_grid_obeys_the_keyboard(signed_in_page, live_server, alice, morning):
    page = signed_in_page(alice)
    page.goto(f"{live_server.url}/suggestions/")
    page.keyboard.press("/")
    expect(page.get_by_label("Search")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("j")
    current = page.locator("tr.is-current")
    expect(current).to_contain_text("LAMP-1")
    page.keyboard.press("x")
    expect(page.locator("[data-bulk-count]")).to_have_text("1")
    page.keyboard.press("r")
    expect(current.get_by_label("Reason")).to_be_focused()
    page.keyboard.press("Escape")
    page.get_by_role("heading", level=1).click()
    page.keyboard.press("k")
    page.keyboard.press("a")
    expect(page.locator("tr", has_text="LAMP-0").get_by_text("Ordered")).to_be_visible()
    # the row after the one that was decided is next
    expect(current).to_contain_text("LAMP-1")


def test_a_row_that_somebody_else_decided_shows_both_values(browser, live_server, alice, morning):
    # not through browser_page: Chromium writes every 409 to the console, and this one is meant
    page = browser.new_context(locale="en-GB").new_page()
    log_in(page, live_server.url, "alice")
    page.goto(f"{live_server.url}/suggestions/?q=LAMP-2")
    Suggestion.objects.filter(product__sku="LAMP-2").update(version=4, suggested_quantity=120)
    page.get_by_label("Quantity to order of LAMP-2").fill("84")
    page.get_by_label("Reason").select_option("budget")
    page.get_by_role("button", name="Approve LAMP-2").click()
    row = page.locator("tr[data-row]")
    expect(row.get_by_role("alert")).to_contain_text("Somebody was faster")
    expect(row.get_by_role("alert")).to_contain_text("84")
    expect(row.get_by_role("alert")).to_contain_text("120")
    page.context.close()


@pytest.mark.parametrize("width", [1440, 390])
def test_no_page_is_wider_than_the_screen(
    signed_in_page, live_server, alice, morning, warehouse, width
):
    page = signed_in_page(alice, width=width, height=844)
    first = Suggestion.objects.order_by("id").first()
    paths = [
        "", "suggestions/", f"suggestions/{first.pk}/", "approvals/", "purchase-orders/", "stock/",
        f"stock/LAMP-1/{warehouse.code}/", "products/", "products/LAMP-1/", "suppliers/",
        "suppliers/ACME/", "runs/", "models/", "imports/", "settings/defaults/",
    ]  # fmt: skip
    wide = []
    for path in paths:
        page.goto(f"{live_server.url}/{path}")
        if page.evaluate("document.documentElement.scrollWidth") > width:
            wide.append(path)
    assert wide == []


def test_the_menu_opens_on_a_phone(signed_in_page, live_server, alice, morning):
    page = signed_in_page(alice, width=390, height=844)
    page.goto(f"{live_server.url}/")
    link = page.get_by_role("link", name="Suggestions", exact=True)
    expect(link).not_to_be_visible()
    page.locator(".menu-button").click()
    link.click()
    expect(page.get_by_role("heading", name="Suggested orders")).to_be_visible()
