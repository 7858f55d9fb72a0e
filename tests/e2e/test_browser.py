"""The browser that the other tests drive works, and notices what it should."""

import pytest
from playwright.sync_api import Browser, Error, Page

from tests.e2e.conftest import OpenPage


def test_viewport_is_the_one_asked_for(browser_page: OpenPage) -> None:
    page = browser_page(width=390, height=844)
    page.set_content("<title>Stock</title><p>库存 42</p>")
    assert page.title() == "Stock"
    assert page.evaluate("[innerWidth, innerHeight]") == [390, 844]
    assert page.evaluate("document.fonts.check('16px \"Noto Sans CJK SC\"')")


def test_a_failing_script_can_be_heard(browser: Browser) -> None:
    page: Page = browser.new_page()
    heard: list[Error] = []
    page.on("pageerror", lambda error: heard.append(error))
    page.set_content("<script>missing.thing()</script>")
    page.wait_for_function("document.readyState === 'complete'")
    page.close()
    assert [error.name for error in heard] == ["ReferenceError"]


@pytest.mark.django_db(databases="__all__", transaction=True)
def test_a_stranger_is_sent_to_the_log_in(browser_page: OpenPage, live_server) -> None:
    page = browser_page()
    answer = page.goto(f"{live_server.url}/")
    assert answer is not None
    assert answer.ok
    assert page.locator("input[type=password]").is_visible()
