import html
import shlex
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from billing.add_ons import add_add_on
from billing.coupons import CouponDuration, apply_coupon, create_coupon
from billing.plans import AddOnTerms, create_plan
from billing.rating import flat_fee
from billing.subscriptions import create_subscription, open_next_periods
from billing.tax_rates import create_tax_rate, set_tax_rates
from metering.forecast import Expectation, record_forecast
from metering.keys import issue_key
from metering.meters import create_meter, list_meters
from metering.models import HourlyRollup, Limit
from portal.first_event import write_first_event
from portal.models import Membership, Role
from tests.portal import makers
from tests.portal.makers import read, squeeze

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("november")]


def test_usage_stands_against_its_limit_with_bar_chart_and_table(account, owner):
    makers.subscribe(account)
    makers.use(account, 357)
    page = read(owner)
    text = squeeze(page)
    assert "357 of 500 requests" in text
    assert "71.4 %" in text
    assert "Remaining 143 requests" in text
    assert "Resets on 1 December 2026, 00:00" in text
    assert 'role="meter" aria-valuemin="0" aria-valuemax="100" aria-valuenow="71.4"' in page
    assert '<rect class="bar-fill" width="71.4" height="10"/>' in page
    assert '<svg class="usage-chart"' in page
    assert "Requests by day (requests) Day Used So far Of the limit Sun 1 Nov 0 0 0 %" in text


def test_the_cost_so_far_is_that_of_the_invoice_with_its_reasons(account, owner):
    makers.subscribe(account)
    makers.use(account, 357)
    text = squeeze(read(owner))
    assert "Growth plan · November 2026 · times in UTC" in text
    assert "Cost so far €54.14" in text
    assert "Base fee Why this amount : Base fee flat fee of €49.00 €49.00" in text
    assert "100 requests included" in text
    assert "257 requests at €0.02 = €5.14" in text
    assert "Total so far €54.14" in text
    assert "At the pace so far: €69.54 when the period ends." in text  # 30 days of usage where 9.5 are over


def test_discount_and_tax_lead_from_the_lines_to_the_total(account, owner):
    makers.subscribe(account)
    create_coupon(code="TEN", name="Ten", percent=Decimal(10), duration=CouponDuration.FOREVER)
    apply_coupon(code="TEN", account_id=account.id, at=makers.NOVEMBER)
    set_tax_rates(account_id=account.id, rate_ids=[create_tax_rate(name="VAT", percent=Decimal(20))])
    assert "€49.00" in squeeze(read(owner))
    assert "Discounts taken off −€4.90 Tax in the total €8.82 Total so far €52.92" in squeeze(read(owner))


def test_seats_and_add_ons_stand_beside_the_plan(account, owner):
    offer = [AddOnTerms("support", "Support <by> phone", Decimal(31))]
    seat = flat_fee("Seats", Decimal(3), per_seat=True)
    create_plan(slug="team", name="Team", rank=9, currency="EUR", prices=[seat], add_ons=offer, at=makers.NOVEMBER)
    team = create_subscription(
        account_id=account.id, plan_slug="team", started_at=makers.NOVEMBER, at=makers.NOVEMBER, quantity=3
    )
    add_add_on(team.id, "support", at=makers.NOVEMBER)
    text = squeeze(read(owner))
    assert "Team plan · November 2026 · 3 seats · 1 × Support &lt;by&gt; phone · times in UTC" in text


def test_a_french_reader_has_french_numbers_and_money(account, owner):
    makers.subscribe(account)
    makers.use(account, 357)
    page = read(owner, language="fr")
    text = squeeze(page)
    assert "357 sur 500 requêtes" in text
    assert "71,4 %" in text
    assert "54,14 €" in text
    assert 'aria-valuenow="71.4"' in page
    assert '<rect class="bar-fill" width="71.4" height="10"/>' in page


def test_alerts_of_this_period_are_shown_and_those_of_an_earlier_one_are_not(account, owner):
    makers.subscribe(account, started_at=datetime(2026, 10, 1, tzinfo=UTC), at=datetime(2026, 10, 1, tzinfo=UTC))
    makers.use(account, 500, time=datetime(2026, 10, 20, 9, 30, tzinfo=UTC))
    assert "of the limit reached" not in squeeze(read(owner))

    open_next_periods(datetime(2026, 10, 31, tzinfo=UTC))
    makers.use(account, 400, time=datetime(2026, 11, 9, 8, 15, tzinfo=UTC))
    text = squeeze(read(owner))
    assert "Requests: 80 % of the limit reached" in text
    assert (
        "400 requests used of a limit of 500 requests, 80 %, as of 9 November 2026, 08:15. "
        "It resets on 1 December 2026, 00:00." in text
    )
    assert "100 % of the limit reached" not in text


def test_beyond_the_limit_the_bar_is_full_and_the_words_say_how_far(account, owner):
    makers.subscribe(account)
    makers.use(account, 650)
    page = read(owner)
    assert 'aria-valuenow="100" aria-valuetext="130\xa0% used of the limit"' in page
    assert "130 % · limit reached" in squeeze(page)
    assert "Remaining 0 requests" in squeeze(page)


def test_just_under_a_level_is_not_read_as_the_level(account, owner):
    makers.make_plan(limit="100000")
    makers.subscribe(account)
    makers.use(account, 1)

    Limit.objects.update(used=79_999)
    text = squeeze(read(owner))
    assert "79.9 %" in text
    assert "80 %: 80 k" in text
    assert "close to the limit" not in text


def test_a_limit_of_zero_and_a_hard_limit_are_shown_as_such(account, owner):
    makers.make_plan(limit="0", is_hard=True)
    makers.subscribe(account)
    text = squeeze(read(owner))
    assert "0 of 0 requests" in text
    assert "At the limit usage stops" in text


def test_an_account_without_plan_and_usage_has_a_command_to_begin_with(account, owner):
    makers.make_meters()
    page = read(owner)
    assert "Nothing counted yet this month" in page
    assert "No plan yet" in page
    assert "curl http://testserver/api/v1/events \\\n" in page
    assert "Bearer $PALIER_API_KEY" in page
    assert "&quot;type&quot;: &quot;request&quot;, &quot;subject&quot;: &quot;acme&quot;" in page


def test_the_command_sends_an_event_that_is_counted(account, owner):
    makers.make_meters()
    page = html.unescape(read(owner))
    command = shlex.split(page[page.index("curl http") : page.index("</code>")].replace("\\\n", " "))
    assert command[:2] == ["curl", "http://testserver/api/v1/events"]
    key = issue_key(name="first", scopes=["events:write"], at=makers.NOV_10)
    answer = Client().post(
        "/api/v1/events",
        command[command.index("-d") + 1],
        content_type="application/json",
        headers={"authorization": f"Bearer {key.secret}"},
    )
    assert answer.status_code == 200
    text = squeeze(read(owner))
    assert "1 request" in text
    assert "Nothing counted yet" not in text


def test_before_any_meter_exists_the_page_still_opens(owner):
    assert "Nothing counted yet this month" in read(owner)


def test_usage_without_a_plan_is_shown_without_a_limit(account, owner):
    makers.make_meters()
    makers.use(account, 12)
    text = squeeze(read(owner))
    assert "12 requests" in text
    assert "No limit" in text
    assert "Without a plan nothing is charged" in text


def test_the_command_can_be_pasted_whatever_the_meter_is_called(account, owner):

    create_meter(
        key="odd",
        name="<b>Odd</b>",
        event_type="it's $HOME",
        aggregation="sum",
        value='"si\'ze"',
        unit="byte",
        at=makers.SEPTEMBER,
    )

    command = write_first_event(account_key="acme", meter=list_meters()[0], url="http://localhost/api/v1/events")
    assert command.splitlines()[-1] == (
        '  -d \'{"id": "first-event", "source": "my-terminal", "type": "it\'"\'"\'s $HOME",'
        ' "subject": "acme", "data": {"si\'"\'"\'ze": 1}}\''
    )
    assert "<b>Odd" not in read(owner)


def test_days_and_reset_follow_the_clocks_of_the_account(account, owner):
    makers.subscribe(account, started_at=datetime(2026, 10, 31, 15, tzinfo=UTC), time_zone="Asia/Tokyo")
    makers.use(account, 3, time=datetime(2026, 11, 4, 15, 30, tzinfo=UTC))
    text = squeeze(read(owner))
    assert "times in Asia/Tokyo" in text
    assert "Thu 5 Nov 3 3 0.6 %" in text
    assert "Resets on 1 December 2026, 00:00" in text


def test_usage_too_large_for_a_bill_is_said_and_not_an_error(account, owner):
    makers.subscribe(account)
    makers.use(account, 1)

    HourlyRollup.objects.update(total=10**20)
    assert "larger than a bill can hold" in squeeze(read(owner))


def test_a_viewer_sees_usage_and_no_money(account):
    makers.subscribe(account)
    makers.use(account, 357)
    [viewer] = makers.log_in(makers.make_member(account, Role.VIEWER))
    text = squeeze(read(viewer))
    assert "357 of 500 requests" in text
    assert "Cost so far" not in text
    assert "Invoices" not in text


def test_accounts_can_be_changed_when_there_are_several(account):
    user = makers.make_member(account)
    Membership.objects.create(user=user, account_id=makers.make_account("beta").id, role=Role.VIEWER)
    [client] = makers.log_in(user)
    assert '<a href="/a/beta/">Beta Ltd</a>' in read(client)
    assert '<a href="/a/acme/" aria-current="true">Acme &amp; Söhne &lt;GmbH&gt;</a>' in read(client)


def expect(account, **columns) -> None:
    """A forecast of the one limit, made on 10 November at 12:00."""
    [limit_id] = Limit.objects.filter(account=account.id).values_list("pk", flat=True)
    low, mid, high = (datetime(2026, 11, day, 6, tzinfo=UTC) for day in (20, 22, 25))
    record_forecast(
        limit_id,
        Expectation(
            **{
                "p_hit": Decimal("0.86"), "days_of_data": Decimal(30), "hit_low": low, "hit_mid": mid,
                "hit_high": high, "total_low": Decimal(480), "total_mid": Decimal(612),
                "total_high": Decimal(790), "reason": "step_up",
                "reason_params": {"percent": 34, "since": "2026-11-03"},
            }
            | columns
        ),
        at=makers.NOV_10,
    )  # fmt: skip


def test_the_forecast_is_a_sentence_a_band_and_a_table(account, owner):
    makers.subscribe(account, time_zone="Asia/Kolkata")
    makers.use(account, 100)
    expect(account)
    page = read(owner)
    text = squeeze(page)
    assert "Reaches 500 requests on Sun 22 Nov (20–25 Nov), 86 % Usage up 34 % since 3 Nov" in text
    assert 'class="chart-band"' in page
    assert "Expected by then: 612 requests, between 480 requests and 790 requests." in text
    assert "Requests, expected (requests) By At least About At most Fri 20 Nov" in text
    assert "Tue 1 Dec 480 612 790 “At least” and “at most” hold in 8 of 10 cases." in text


def test_who_learns_and_whose_forecast_is_old_are_told_so(account, owner, time_machine):
    makers.subscribe(account)
    expect(account, is_learning=True, days_of_data=Decimal(4), reason="learning")
    assert "Learning: 3 more days" in squeeze(read(owner))
    time_machine.move_to(datetime(2026, 11, 12, 9, tzinfo=UTC), tick=False)
    assert "Learning: 3 more days as of Tue 10 Nov, 12:00" in squeeze(read(owner))


def test_without_a_forecast_nothing_is_expected(account, owner):
    makers.subscribe(account)
    page = read(owner)
    assert "chart-band" not in page
    assert 'class="forecast"' not in page


def count_queries(client: Client, address: str) -> int:
    client.get(address)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert client.get(address).status_code == 200
    return len(queries)


@pytest.mark.parametrize(("meters", "charts"), [(1, 1), (4, 4), (5, 4), (12, 4)])
def test_the_dashboard_costs_a_bounded_number_of_queries_and_one_per_chart_of_at_most_four(
    account, owner, meters, charts
):
    makers.make_plan(meters=meters)
    makers.subscribe(account)
    makers.use(account, 3)
    assert count_queries(owner, "/a/acme/") <= 29 + charts
    assert read(owner).count('<svg class="usage-chart"') == charts
    assert read(owner).count('role="meter"') == meters
