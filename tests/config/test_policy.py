"""The content security policy: on every answer, and no page needs it loosened."""

import re
from collections.abc import Iterator

import pytest
from django.contrib.auth import get_user_model
from django.test import Client, override_settings
from django.urls import URLPattern, URLResolver, get_resolver

STRICT = "default-src 'none'"
INLINE = re.compile(
    r"<script(?![^>]*\bsrc=)(?![^>]*type=\"application/json\")[^>]*>\s*\S|<style[\s>]|\sstyle=|\son[a-z]+=|javascript:",
    re.IGNORECASE,
)
PLACEHOLDER = re.compile(r"<[^>]+>|\(\?P<\w+>(?:[^()]|\([^()]*\))*\)|\([^()]*\)")


def list_addresses(resolver: URLResolver, prefix: str = "/") -> Iterator[str]:
    """Every address of the site, with 1 in the place of each parameter."""
    for pattern in resolver.url_patterns:
        route = prefix + PLACEHOLDER.sub("1", str(pattern.pattern)).strip("^$").replace("\\Z", "")
        if isinstance(pattern, URLPattern):
            yield re.sub(r"[\\?$^]|\.\+|\.\*", "", route)
        else:
            yield from list_addresses(pattern, route)


ADDRESSES = sorted(set(list_addresses(get_resolver())))


def make_staff() -> Client:
    user = get_user_model().objects.create(email="boss@example.com", is_staff=True, is_superuser=True, is_active=True)
    client = Client(raise_request_exception=False)
    client.force_login(user)
    return client


def complain_about(client: Client, address: str) -> str:
    response = client.get(address)
    policy = response.headers.get("Content-Security-Policy", "")
    if STRICT not in policy or "unsafe" in policy:
        return f"{address}: {policy!r}"
    if response.status_code >= 500 and address != "/readyz":
        return f"{address}: {response.status_code}"
    is_page = "text/html" in response.headers.get("Content-Type", "")
    inline = INLINE.search(response.text) if is_page and not response.streaming else None
    return f"{address}: {response.text[inline.start() - 60 : inline.end() + 60]}" if inline else ""


def test_the_walk_knows_the_site():
    assert {"/healthz", "/accounts/login/", "/admin/", "/api/v1/events"} <= set(ADDRESSES)


@pytest.mark.django_db
@pytest.mark.parametrize("who", ["stranger", "staff"])
def test_every_address_has_the_policy_and_no_page_has_inline_script_or_style(who: str):
    client = make_staff() if who == "staff" else Client(raise_request_exception=False)
    complaints = [complain_about(client, address) for address in ADDRESSES if "logout" not in address]
    assert list(filter(None, complaints)) == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("address", "status"),
    [("/static/admin/css/base.css", 200), ("/static/palier/errors.css", 200), ("/static/none.css", 404)],
)
def test_static_files_carry_the_policy(address: str, status: int):
    with override_settings(WHITENOISE_USE_FINDERS=True, WHITENOISE_AUTOREFRESH=True):
        response = Client().get(address)
    assert response.status_code == status
    assert STRICT in response.headers["Content-Security-Policy"]
    response.close()


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<style>p{}</style>",
        '<p style="color:red">',
        '<a href="javascript:x">',
        "<b onclick=x>",
    ],
)
def test_the_search_finds_what_is_forbidden(text: str):
    assert INLINE.search(text)


@pytest.mark.parametrize(
    "text", ['<script src="/a.js"></script>', '<link rel="stylesheet" href="/a.css">', "<p>one=two"]
)
def test_the_search_passes_what_is_allowed(text: str):
    assert not INLINE.search(text)
