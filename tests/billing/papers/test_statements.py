import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.core.management import CommandError, call_command

from billing import invoicing, profiles, subscriptions
from billing.papers.paper import Field
from billing.papers.rendering import render_pdf
from billing.papers.statements import LONGEST, InvalidWindow, read_days, read_statement_paper
from metering import meters
from metering.accounts import UnknownAccount
from tests.billing.makers import FEB, HOUR, JAN, MID_JAN, make_account, make_meters, make_subscription, use
from tests.billing.papers.makers import read_text

pytestmark = pytest.mark.django_db

NOON = MID_JAN + timedelta(minutes=5, seconds=7)


def make_used():
    subscription = make_subscription(started_at=JAN)
    use("acme", sizes=[1_000] * 3, time=JAN + HOUR)
    use("acme", sizes=[500_000_000] * 2, time=MID_JAN)
    return subscription


def read(subscription, *, at=NOON, start=JAN, end=FEB, **options):
    return read_statement_paper(account_id=subscription.account_id, start=start, end=end, at=at, **options)


def list_cells(section):
    return [row.cells for group in section.groups for row in group.rows]


def test_a_statement_says_what_was_used_of_each_meter_and_day_by_day():
    paper = read(make_used())
    totals, _costs, days = paper.sections
    assert (paper.heading, paper.name) == ("Usage statement", "usage-2026-01-01")
    assert paper.facts == (
        Field("Period", "1 January 2026 – 31 January 2026"),
        Field("As of", "15 January 2026, 12:05"),
        Field("Clocks of", "UTC"),
    )
    assert list_cells(totals) == [("Bandwidth", "5", "1,000,003,000 bytes"), ("Requests", "5", "5 requests")]
    assert [column.title for column in days.columns] == ["Day", "Bandwidth (bytes)", "Requests (requests)"]
    rows = list_cells(days)
    assert (len(rows), rows[0], rows[1], rows[14]) == (
        15, ("1 January 2026", "3,000", "3"), ("2 January 2026", "0", "0"), ("15 January 2026", "1,000,000,000", "2"),
    )  # fmt: skip


def test_it_says_what_the_period_under_way_costs_so_far_and_what_was_invoiced():
    subscription = make_used()
    assert list_cells(read(subscription).sections[1]) == [
        ("1 January 2026 – 31 January 2026", "So far, before tax", "€49.09")
    ]
    subscriptions.open_next_periods(FEB)
    invoicing.close_period(subscription.period_id, at=FEB + HOUR)
    assert list_cells(read(subscription, at=FEB + 2 * HOUR).sections[1]) == [
        ("1 January 2026 – 31 January 2026", "Invoice 2026-000001", "€49.09")
    ]
    after = read(subscription, start=MID_JAN, end=FEB + 24 * HOUR, at=FEB + 2 * HOUR)
    assert [row[1] for row in list_cells(after.sections[1])] == ["Invoice 2026-000001", "So far, before tax"]


def test_without_cost_no_money_is_on_it():
    paper = read(make_used(), with_cost=False)
    assert [section.title for section in paper.sections] == ["By meter", "Day by day"]
    assert "€" not in read_text(render_pdf(paper))


def test_where_nothing_was_used_it_says_so():
    make_meters()
    account = make_account("idle")
    paper = read_statement_paper(account_id=account.id, start=JAN, end=FEB, at=NOON)
    assert list_cells(paper.sections[0]) == [("Nothing was used.", "", "")]
    assert list_cells(paper.sections[1]) == [("No period of a subscription is in this time.", "", "")]
    assert "Nothing was used." in read_text(render_pdf(paper))


def test_an_account_that_nobody_pays_for_is_named_by_itself():
    from metering import accounts

    account = accounts.create_account(key="acme", name="Acme", at=JAN)
    paper = read_statement_paper(account_id=account.id, start=JAN, end=FEB, at=NOON)
    assert (paper.customer, paper.language) == (Field("Acme", ""), "en")
    with pytest.raises(UnknownAccount):
        read_statement_paper(account_id=404, start=JAN, end=FEB, at=NOON)


def test_it_is_written_in_the_profiles_language_and_on_its_clocks():
    subscription = make_used()
    profiles.set_profile(account_id=subscription.account_id, legal_name="Acme", language="fr", time_zone="Asia/Tokyo")
    paper = read(subscription, start=datetime(2025, 12, 31, 15, tzinfo=UTC), end=datetime(2026, 1, 31, 15, tzinfo=UTC))
    assert (paper.language, paper.facts[2].value) == ("fr", "Asia/Tokyo")
    assert paper.facts[0].value == "1 janvier 2026 – 31 janvier 2026"
    assert paper.facts[1].value == "15 janvier 2026, 21:05"


def test_four_meters_stand_side_by_side_and_more_in_further_tables():
    subscription = make_used()
    for number in range(3):
        meters.create_meter(key=f"more-{number}", name=f"More {number}", event_type="web.request", unit="hit", at=JAN)
    use("acme", sizes=[7], time=MID_JAN)
    [_totals, first, second] = read(subscription, with_cost=False).sections
    assert (len(first.columns), len(second.columns)) == (5, 2)
    assert list_cells(second)[-1] == ("15 January 2026", "3")


def test_the_same_minute_is_the_same_paper_and_the_same_bytes():
    subscription = make_used()
    one, other = (read(subscription, at=NOON.replace(second=second)) for second in (1, 59))
    assert one == other
    assert render_pdf(one) == render_pdf(other)


def test_the_figures_are_inside_for_programs():
    copy = json.loads(read(make_used()).attachment.text)
    assert (copy["format"], copy["start"], copy["end"]) == (
        "palier.usage/1", "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z",
    )  # fmt: skip
    requests = copy["meters"][1]
    assert (requests["meter"], requests["quantity"], requests["event_count"]) == ("requests", "5", 5)
    assert sum(Decimal(day["quantity"]) for day in requests["days"]) == 5


@pytest.mark.parametrize(
    ("start", "end"), [(FEB, JAN), (JAN, JAN), (NOON + HOUR, FEB), (JAN, JAN + LONGEST + timedelta(microseconds=1))]
)
def test_a_time_that_makes_no_sense_is_refused(start, end):
    subscription = make_used()
    with pytest.raises(InvalidWindow):
        read(subscription, start=start, end=end)


def test_days_are_read_on_the_clocks_of_the_zone_with_the_last_one_in():
    start, end = read_days("2026-03-28", "2026-03-29", "Europe/Paris")
    assert (start.astimezone(UTC), end.astimezone(UTC)) == (
        datetime(2026, 3, 27, 23, tzinfo=UTC), datetime(2026, 3, 29, 22, tzinfo=UTC),
    )  # fmt: skip


@pytest.mark.parametrize("text", ["", "2026-02-30", "yesterday", "9999-12-31", "2026-01-01\x00"])
def test_what_is_no_day_is_refused(text):
    with pytest.raises(InvalidWindow):
        read_days("2026-01-01", text, "UTC")


def test_its_cost_in_statements_is_bound_by_the_meters_that_were_used(django_assert_num_queries):
    subscription = make_used()
    with django_assert_num_queries(4):
        read(subscription, with_cost=False)


@time_machine.travel(NOON, tick=False)
def test_it_can_be_printed(tmp_path):
    subscription = make_used()
    file = tmp_path / "usage.pdf"
    call_command("print_statement", "acme", start="2026-01-01", end="2026-01-31", output=file)
    assert file.read_bytes() == render_pdf(read(subscription))
    call_command("print_statement", "acme", start="2026-01-01", end="2026-01-31", output=file, no_cost=True)
    assert file.read_bytes() == render_pdf(read(subscription, with_cost=False))
    for arguments, says in (
        (["nobody", "2026-01-01", "2026-01-31"], "nobody"),
        (["acme", "2026-01-31", "2026-01-01"], "time that has begun"),
        (["acme", "January", "2026-01-31"], "not two days"),
    ):
        with pytest.raises(CommandError, match=says):
            call_command("print_statement", arguments[0], start=arguments[1], end=arguments[2], output=file)
