from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.credits.burning import Burn, Charge, Grant, Usage, burn_grants, burn_timeline, link_spends, order_grants
from billing.credits.recurrence import Recurrence, Rollover
from billing.periods import Interval

JAN = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def make_grant(id="a", amount=100, **terms):
    return Grant(id, Decimal(amount), terms.pop("effective_at", JAN), **terms)


def use(amount, at=JAN, price=""):
    return Usage(at, Decimal(amount), price)


def run(grants, *usage, until=JAN + 10 * DAY):
    return burn_timeline(grants, usage, start=JAN, until=until)


def burn(grants, *charges):
    balances = {grant.id: grant.amount for grant in grants}
    asked = [Charge(Decimal(amount), price) for price, amount in charges]
    return {(each.grant_id, each.charge): int(each.amount) for each in burn_grants(grants, asked, balances=balances)}


def test_priority_goes_before_expiry_and_expiry_before_age():
    grants = [
        make_grant("no end", priority=1),
        make_grant("younger", priority=1, expires_at=JAN + 9 * DAY, effective_at=JAN + HOUR),
        make_grant("older", priority=1, expires_at=JAN + 9 * DAY),
        make_grant("first to end", priority=1, expires_at=JAN + 8 * DAY, effective_at=JAN + DAY),
        make_grant("lowest number", priority=0),
    ]
    names = [grant.id for grant in order_grants(grants)]
    assert names == ["lowest number", "first to end", "older", "younger", "no end"]


def test_among_equals_the_given_order_stays():
    grants = [make_grant("b"), make_grant("a")]
    assert order_grants(grants) == grants


def test_a_grant_pays_for_the_prices_of_its_scope_alone():
    grants = [make_grant("calls", 100, scope=frozenset({"calls"}))]
    assert burn(grants, ("storage", 50), ("calls", 30)) == {("calls", 1): 30}


def test_a_wide_grant_first_pays_what_a_narrow_one_could_not():
    grants = [make_grant("wide", 100), make_grant("narrow", 100, priority=1, scope=frozenset({"calls"}))]
    assert burn(grants, ("calls", 100), ("storage", 100)) == {("wide", 1): 100, ("narrow", 0): 100}


def test_a_grant_that_goes_first_gives_all_it_can():
    grants = [make_grant("wide", 150), make_grant("narrow", 100, priority=1, scope=frozenset({"calls"}))]
    assert burn(grants, ("calls", 100), ("storage", 100)) == {("wide", 1): 100, ("wide", 0): 50, ("narrow", 0): 50}


def test_a_credit_line_asks_for_nothing():
    assert burn([make_grant()], ("", -5), ("", 0)) == {}


def test_a_part_of_a_unit_burns_exactly():
    grants = [make_grant("a", "0.1"), make_grant("b", "0.2")]
    burns = burn_grants(grants, [Charge(Decimal("0.25"))], balances={"a": Decimal("0.1"), "b": Decimal("0.2")})
    assert burns == [Burn("a", 0, Decimal("0.1")), Burn("b", 0, Decimal("0.15"))]


@pytest.mark.parametrize(("moment", "overage"), [(JAN + 2 * DAY, 50), (JAN + 2 * DAY - timedelta(microseconds=1), 0)])
@pytest.mark.parametrize("end", ["expires_at", "voided_at"])
def test_a_grant_ends_at_the_very_moment(end, moment, overage):
    standing = run([make_grant(**{end: JAN + 2 * DAY})], use(50, moment))
    assert (standing.overage, standing.balances) == (overage, {"a": 0})


def test_usage_before_a_grant_waits_for_it():
    standing = run([make_grant(effective_at=JAN + DAY)], use(25), use(25, JAN + 2 * DAY))
    assert (standing.overage, standing.balances) == (0, {"a": 50})


def test_a_grant_that_has_not_begun_is_worth_nothing():
    standing = run([make_grant(effective_at=JAN + 20 * DAY)], use(25))
    assert (standing.overage, standing.balances) == (25, {"a": 0})


def test_usage_outside_of_the_time_line_is_not_counted():
    standing = run([make_grant()], use(1, JAN - HOUR), use(2), use(4, JAN + 10 * DAY))
    assert standing.balances == {"a": 98}


def test_what_waits_keeps_its_price():
    narrow = make_grant("narrow", scope=frozenset({"calls"}), effective_at=JAN + DAY)
    standing = run([narrow], use(30, price="calls"), use(5, price="storage"))
    assert (standing.overage, standing.balances) == (5, {"narrow": 70})


def make_daily(amount=100, **terms):
    terms.setdefault("anchor", JAN)
    return make_grant(amount=amount, recurrence=Recurrence(Interval.DAY, **terms))


def test_a_daily_grant_is_fresh_each_day():
    standing = run([make_daily()], use(30), use(40, JAN + 2 * DAY), until=JAN + 2 * DAY + HOUR)
    assert (standing.balances, standing.burned) == ({"a": 60}, {"a": 70})


def test_a_grant_that_recurs_at_the_end_is_fresh_there():
    assert run([make_daily()], use(30), until=JAN + DAY).balances == {"a": 100}


def test_what_is_left_rolls_over_up_to_a_maximum():
    daily = make_daily(rollover=Rollover(maximum=Decimal(50)))
    assert run([daily], use(80), until=JAN + DAY).balances == {"a": 120}
    assert run([daily], use(10), until=JAN + DAY).balances == {"a": 150}


def test_overage_takes_from_what_recurs_unless_it_is_forgiven():
    assert run([make_daily()], use(250), until=JAN + DAY).overage == 50
    forgiven = run([make_daily(carries_overage=False)], use(250), until=JAN + DAY)
    assert (forgiven.overage, forgiven.balances) == (0, {"a": 100})


def test_spends_are_traced_to_the_oldest_top_ups():
    found = link_spends([Decimal(30), Decimal(50)], [Decimal(20), Decimal(40), Decimal(90)])
    assert found.remaining == (0, 0)
    assert found.links == (((0, 20),), ((0, 10), (1, 30)), ((1, 20),))


AMOUNTS = st.decimals(0, 1_000, places=2)
PRICES = st.sampled_from(["calls", "storage", "seats"])
MOMENTS = st.integers(0, 240).map(lambda hours: JAN + hours * HOUR)
ENDS = st.none() | MOMENTS.map(lambda moment: moment + HOUR)
SCOPES = st.just(frozenset()) | st.frozensets(PRICES, min_size=1)


@st.composite
def draw_grants(draw, **fixed):
    count = draw(st.integers(0, 6))
    return [
        Grant(
            id=str(number),
            amount=draw(AMOUNTS),
            effective_at=draw(MOMENTS),
            priority=draw(st.integers(0, 2)),
            expires_at=draw(ENDS),
            voided_at=draw(ENDS),
            scope=draw(SCOPES),
        )
        for number in range(count)
    ]


@given(draw_grants(), st.lists(st.builds(Usage, MOMENTS, AMOUNTS, PRICES)))
def test_burned_and_left_and_ended_make_what_was_granted_and_used(grants, usage):
    until = JAN + 240 * HOUR
    standing = run(grants, *usage, until=until)
    used = sum((each.amount for each in usage if each.at < until), start=Decimal(0))
    assert sum(standing.burned.values()) + standing.overage == used
    for grant in grants:
        left, burned = standing.balances[grant.id], standing.burned[grant.id]
        assert left >= 0
        assert burned >= 0
        assert left + burned == grant.amount if grant.is_active(until) else left == 0 and burned <= grant.amount


@given(draw_grants(), st.lists(st.builds(Charge, AMOUNTS, PRICES)))
def test_no_grant_pays_while_one_before_it_still_could(grants, charges):
    balances = {grant.id: grant.amount for grant in grants}
    left = dict(balances)
    burns = burn_grants(grants, charges, balances=balances)
    for each in burns:
        left[each.grant_id] -= each.amount
    assert min(left.values(), default=0) >= 0
    ordered = order_grants(grants)
    for each in burns:
        place = next(index for index, grant in enumerate(ordered) if grant.id == each.grant_id)
        price = charges[each.charge].price
        assert ordered[place].pays_for(price)
        assert all(left[grant.id] == 0 for grant in ordered[:place] if grant.pays_for(price))


@given(draw_grants(), st.lists(st.builds(Charge, AMOUNTS, PRICES)))
def test_nothing_stays_unpaid_that_a_grant_with_credit_left_could_pay(grants, charges):
    left = {grant.id: grant.amount for grant in grants}
    due = [charge.amount for charge in charges]
    for each in burn_grants(grants, charges, balances=left.copy()):
        left[each.grant_id] -= each.amount
        due[each.charge] -= each.amount
    assert min(due, default=0) >= 0
    for amount, charge in zip(due, charges, strict=True):
        assert amount == 0 or not any(left[grant.id] for grant in grants if grant.pays_for(charge.price))


@settings(max_examples=500)
@given(draw_grants(), st.lists(st.builds(Usage, MOMENTS, AMOUNTS, PRICES)), st.randoms())
def test_the_order_in_which_usage_is_told_does_not_matter(grants, usage, random):
    shuffled = random.sample(usage, len(usage))
    one, other = run(grants, *usage, until=JAN + 240 * HOUR), run(grants, *shuffled, until=JAN + 240 * HOUR)
    assert (one.overage, sum(one.burned.values())) == (other.overage, sum(other.burned.values()))


@given(st.lists(AMOUNTS), st.lists(AMOUNTS))
def test_links_add_up_to_what_was_spent_and_topped_up(top_ups, spends):
    found = link_spends(top_ups, spends)
    linked = [sum((amount for _, amount in parts), start=Decimal(0)) for parts in found.links]
    assert sum(linked) == min(sum(top_ups), sum(spends))
    assert sum(linked) + sum(found.remaining) == sum(top_ups)
    assert all(part <= spend for part, spend in zip(linked, spends, strict=True))
