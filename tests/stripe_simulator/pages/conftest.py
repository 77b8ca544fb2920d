from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.portal.conftest import chromium  # noqa: F401 (the browser is a fixture)
from tests.simulators import SimulatorClient

SUCCESS = "https://palier.test/back?session={CHECKOUT_SESSION_ID}"
CANCEL = "https://palier.test/cancelled"
RETURN = "https://palier.test/account"


@pytest.fixture
def open_page(chromium: Browser, simulator: SimulatorClient) -> Iterator[Callable[..., Page]]:  # noqa: F811
    """A fresh window on the simulator's pages; palier.test is a page that says nothing. No error may be reported."""
    complaints: list[str] = []

    def open_one(url: str, **options: Any) -> Page:
        context = chromium.new_context(
            base_url=simulator.url, reduced_motion="reduce", **{"viewport": {"width": 1280, "height": 900}, **options}
        )
        context.set_default_timeout(15_000)
        context.route("https://palier.test/**", lambda route: route.fulfill(body="Back at the merchant."))
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("response", lambda answer: complaints.append(answer.url) if answer.status >= 500 else None)
        page.goto(url)
        return page

    yield open_one
    for context in chromium.contexts:
        context.close()
    assert complaints == []
