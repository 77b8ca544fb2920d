"""What the account's own keys sent, and what was refused of it."""

from datetime import timedelta

import pytest

from metering import figures
from metering.events import EventFate, Fate
from metering.figures import count_fates, flush_figures
from metering.keys import issue_key
from metering.rejections import Rejection, keep_rejections
from portal.models import Role
from tests.portal import makers

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("november")]

NOV_10 = makers.NOV_10


@pytest.fixture(autouse=True)
def nothing_waits():
    figures.begin_anew()


def make_own_key(account, name: str = "collector") -> int:
    return issue_key(name=name, scopes=["events:write"], at=makers.SEPTEMBER, account_id=account.id).id


def sent(key_id: int, at=NOV_10, **counts: int) -> None:
    fates = [EventFate("shop", str(n), Fate(name)) for name, count in counts.items() for n in range(count)]
    count_fates(fates, api_key_id=key_id, at=at)
    flush_figures()


def refuse(account, key_id: int, *ids: str) -> None:
    rows = [Rejection("shop", each, "unknown_type", "type", "No meter counts this.", each.encode()) for each in ids]
    keep_rejections(rows, api_key_id=key_id, account_id=account.id, at=NOV_10)


def test_without_a_key_of_ones_own_it_says_how_to_get_one(owner):
    assert "No API key of your own" in makers.read(owner, "/a/acme/sending/")


def test_a_key_that_sent_nothing_has_nothing_to_show(owner, account):
    make_own_key(account)
    page = makers.read(owner, "/a/acme/sending/")
    assert "Nothing was sent by the keys of this account." in page
    assert "Nothing was refused" in page


def test_the_last_day_is_drawn_and_told_in_numbers(owner, account):
    first, second = make_own_key(account), make_own_key(account, "website")
    sent(first, accepted=3, duplicate=2, rejected=1), sent(second, accepted=4)
    sent(first, at=NOV_10 - timedelta(hours=2), late=1, conflict=1)
    sent(first, at=NOV_10 - timedelta(days=2), accepted=500)
    markup = makers.read(owner, "/a/acme/sending/")
    page = makers.squeeze(markup)
    assert "Kept 8 Known already 2 Refused 2 Skipped values 0" in page
    assert "2026-11-10 12:00 7 2 0 0 0 1 0" in page
    assert "2026-11-10 10:00 0 0 0 1 1 0 0" in page
    assert "website 4 0 0" in page
    assert markup.count('class="figure-kept"') == 2
    assert "500" not in page


def test_refusals_stand_with_what_was_sent(owner, account):
    refuse(account, make_own_key(account), "<b>1</b>")
    page = makers.read(owner, "/a/acme/sending/")
    assert "No meter counts this." in page
    assert "&lt;b&gt;1&lt;/b&gt;" in page
    assert "<b>1</b>" not in page


def test_older_refusals_follow(owner, account):
    refuse(account, make_own_key(account), *(f"n{number:02}" for number in range(60)))
    page = makers.read(owner, "/a/acme/sending/")
    [link] = [part.split('"')[0] for part in page.split('rel="next" href="')[1:]]
    older = makers.read(owner, "/a/acme/sending/" + link)
    assert older.count("No meter counts this.") == 10


def test_nobody_sees_what_anothers_keys_sent(owner, account):
    """The owner, a colleague, and a stranger."""
    globex = makers.make_account("globex")
    key = make_own_key(globex, "theirs")
    sent(key, accepted=77), refuse(globex, key, "secret")
    assert "theirs" not in makers.read(owner, "/a/acme/sending/")
    [developer] = makers.log_in(makers.make_member(globex, Role.DEVELOPER))
    page = makers.read(developer, "/a/globex/sending/")
    assert "secret" in page
    assert "77" in page
    assert owner.get("/a/globex/sending/").status_code == 404
