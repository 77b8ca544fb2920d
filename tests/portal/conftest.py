import os
import shutil
from collections.abc import Callable, Iterator
from typing import Literal

import pytest
import time_machine
from django.test import Client
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright
from pytest_django.live_server_helper import LiveServer

from metering.accounts import AccountRef
from tests.portal import makers


@pytest.fixture
def november() -> Iterator[None]:
    """Noon of 10 November 2026, standing still."""
    with time_machine.travel(makers.NOV_10, tick=False):
        yield


@pytest.fixture
def account(db: None) -> AccountRef:
    return makers.make_account("acme", name="Acme & Söhne <GmbH>")


@pytest.fixture
def owner(account: AccountRef) -> Client:
    """A browser in which the account's owner is logged in."""
    [client] = makers.log_in(makers.make_member(account))
    return client


CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium. Without it the tests that need it are passed over, saying what to install."""
    if CHROMIUM is None:
        pytest.skip("needs Chromium: apt-get install chromium, or name its program in CHROMIUM")
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Playwright's loop runs in the thread in which the tests touch the database.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Browser, live_server: LiveServer) -> Iterator[Callable[..., Page]]:
    """Open a fresh window; at the end of the test no window may have reported an error or a breach of the policy."""
    complaints: list[str] = []

    def open_one(
        *,
        scheme: Literal["light", "dark"] = "light",
        language: str = "en",
        width: int = 1280,
        is_measured: bool = False,  # by axe, whose own measuring styles the policy would refuse on some forms
    ) -> Page:
        viewport = ViewportSize(width=width, height=900)
        context = chromium.new_context(
            base_url=live_server.url,
            color_scheme=scheme,
            locale=language,
            viewport=viewport,
            reduced_motion="reduce",
            bypass_csp=is_measured,
        )
        context.set_default_timeout(15_000)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("response", lambda answer: complaints.append(answer.url) if answer.status >= 400 else None)
        return page

    yield open_one
    for context in chromium.contexts:
        context.close()
    assert complaints == []
