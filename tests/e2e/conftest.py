"""A real Chromium for the browser tests.

    def test_planner_approves(signed_in_page, live_server, alice):
        page = signed_in_page(alice, width=390, height=844)
        page.goto(live_server.url)

The test fails at its end if the page wrote an error to the console: that is also how a breach of the
Content-Security-Policy shows.
"""

import os
import shutil
from collections.abc import Callable, Iterator

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OpenPage = Callable[..., Page]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "e2e" in item.path.parts:
            item.add_marker("e2e")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    assert path, "No Chromium on the PATH: apt-get install chromium (or run .ci/run)."
    arguments = ["--disable-dev-shm-usage"]
    if os.geteuid() == 0:
        arguments.append(
            "--no-sandbox"
        )  # Chromium refuses its sandbox to root, as in CI containers
    # Playwright runs an event loop in this thread; the ORM calls of a test are still synchronous.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=arguments)
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def browser_page(browser: Browser) -> Iterator[OpenPage]:
    """Opens pages: browser_page(width=1440, height=900). Console errors fail the test."""
    contexts = []
    errors: list[str] = []

    def note_console(message: ConsoleMessage) -> None:
        if message.type == "error":
            errors.append(message.text)

    def open_page(
        *, width: int = 1440, height: int = 900, cookies: list[dict] | None = None
    ) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": height}, locale="en-GB", reduced_motion="reduce"
        )
        contexts.append(context)
        if cookies:
            context.add_cookies(cookies)  # type: ignore[arg-type]
        page = context.new_page()
        page.on("console", note_console)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.set_default_timeout(15_000)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []


@pytest.fixture
def signed_in_page(browser_page: OpenPage, live_server) -> OpenPage:
    """Opens pages with a user signed in: signed_in_page(alice, width=390, height=844)."""

    def open_page(user, *, width: int = 1440, height: int = 900) -> Page:
        client = Client()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        session = client.cookies[settings.SESSION_COOKIE_NAME].value
        cookie = {"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}
        return browser_page(width=width, height=height, cookies=[cookie])

    return open_page
