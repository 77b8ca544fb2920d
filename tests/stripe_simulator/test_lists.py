"""Stripe's lists: newest first, 1 to 100, by cursor."""

import pytest
import stripe

URL = "https://example.test/hook"


@pytest.fixture
def made(simulator):
    """Five endpoints, oldest first; the fixture's own lies before them."""
    client = simulator.client()
    return [client.v1.webhook_endpoints.create({"url": URL, "enabled_events": ["*"]}).id for _ in range(5)]


def names(page):
    return [item.id for item in page.data]


def test_the_newest_comes_first_and_has_more_is_told(simulator, made):
    page = simulator.client().v1.webhook_endpoints.list({"limit": 2})
    assert names(page) == [made[4], made[3]]
    assert page.has_more is True
    assert page.url == "/v1/webhook_endpoints"


def test_a_cursor_goes_on_and_back(simulator, made):
    endpoints = simulator.client().v1.webhook_endpoints
    assert names(endpoints.list({"limit": 2, "starting_after": made[3]})) == [made[2], made[1]]
    back = endpoints.list({"limit": 2, "ending_before": made[1]})
    assert names(back) == [made[3], made[2]]
    assert back.has_more is True
    assert endpoints.list({"limit": 2, "ending_before": made[3]}).has_more is False


def test_the_client_walks_all_pages(simulator, made):
    page = simulator.client().v1.webhook_endpoints.list({"limit": 2})
    assert [item.id for item in page.auto_paging_iter()][:5] == made[::-1]


@pytest.mark.parametrize("limit", [0, 101])
def test_a_page_has_1_to_100(simulator, limit):
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        simulator.client().v1.webhook_endpoints.list({"limit": limit})
    assert refusal.value.param == "limit"


def test_a_cursor_that_is_nothing_is_refused(simulator):
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        simulator.client().v1.webhook_endpoints.list({"starting_after": "we_none"})
    assert refusal.value.param == "starting_after"
