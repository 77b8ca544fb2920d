from datetime import timedelta
from decimal import Decimal

import pytest

from metering.limits import LimitTerms, hand_over_limits
from metering.meters import create_meter
from metering.trials import NothingToTry, read_live_set, try_rules
from metering.trials.windows import Allowed, Used, list_accounts, read_windows
from tests.metering.grading.makers import DECEMBER, NOVEMBER, day, make_window, use

pytestmark = pytest.mark.django_db
TIME = {"start": NOVEMBER, "end": DECEMBER}


def read(*limits):
    return read_windows(sorted({limit.account_id for limit in limits}), **TIME)


def test_what_adds_up_is_read_as_running_totals_by_the_hours_end():
    limit = make_window()
    use(limit, 3, at=day(5, 10.2))
    use(limit, 4, at=day(5, 10.7))
    use(limit, 5, at=day(6))
    [window] = read(limit)
    assert window.used == (Used(day(5, 11), 7), Used(day(6, 11), 12))
    assert (window.account.key, window.meter_key, window.allowed) == ("acme", "requests", (Allowed(NOVEMBER, 1, 100),))
    assert (window.find_reached(Decimal(8)), window.find_reached(Decimal(13))) == (day(6, 11), None)
    assert [window.find_total(at) for at in (NOVEMBER, day(5, 11), day(30))] == [0, 7, 12]


@pytest.mark.parametrize(
    ("aggregation", "expected"),
    [("max", [8, 9]), ("min", [5, 2]), ("avg", [Decimal("6.5"), Decimal(6)]), ("latest", [8, 2]), ("unique", [2, 4])],
)
def test_levels_are_read_as_what_the_window_reads_then(aggregation, expected):
    meter = create_meter(
        key="m", name="M", event_type="m", aggregation=aggregation, value="amount", unit="x", at=NOVEMBER
    )
    limit = make_window(meter_id=meter.id)
    for hour, amount in [(10, 5), (10.5, 8), (12, 9), (12.5, 2)]:
        use(limit, 1, at=day(5, hour), amount=amount)
    [window] = read(limit)
    assert [each.total for each in window.used] == expected


def test_a_level_that_was_carried_in_stands_at_the_start():
    meter = create_meter(
        key="seats", name="Seats", event_type="seats", aggregation="latest", value="amount", unit="seat",
        carries_over=True, at=NOVEMBER - timedelta(days=40),
    )  # fmt: skip
    limit = make_window(meter_id=meter.id)
    use(limit, 1, at=NOVEMBER - timedelta(days=3), amount=7)
    use(limit, 1, at=day(5), amount=9)
    assert read(limit)[0].used == (Used(NOVEMBER, 7), Used(day(5, 11), 9))


def test_changes_of_the_limit_are_told_with_their_moments():
    limit = make_window(quantity="100")
    for at, quantity in ((day(5), "300"), (day(9), None)):
        terms = LimitTerms(limit.meter_id, None if quantity is None else Decimal(quantity), is_hard=False)
        hand_over_limits(account_ids=[limit.account_id], terms=[terms], start=NOVEMBER, end=DECEMBER, at=at)
    [window] = read(limit)
    assert window.allowed == (Allowed(NOVEMBER, 1, 100), Allowed(day(5), 2, 300), Allowed(day(9), 3, None))


def test_percentiles_are_left_out():
    meter = create_meter(
        key="m", name="M", event_type="m", aggregation="percentile", value="amount", unit="x", at=NOVEMBER
    )
    assert read(make_window(meter_id=meter.id)) == []


def test_accounts_come_some_at_a_time():
    limits = [make_window(f"acme-{number}") for number in range(5)]
    ids = [limit.account_id for limit in limits]
    assert list(list_accounts(**TIME, batch=2)) == [ids[:2], ids[2:4], ids[4:]]
    assert list(list_accounts(start=DECEMBER, end=DECEMBER + timedelta(days=1), batch=2)) == []


def test_a_batch_takes_as_many_statements_whatever_it_holds(django_assert_num_queries):
    limits = [make_window(f"acme-{number}", meter) for number in range(3) for meter in ("requests", "calls")]
    for limit in limits:
        use(limit, 3, at=day(5))
    for some in (limits[:1], limits):
        with django_assert_num_queries(4):
            read(*some)


def try_live(**options):
    list(try_rules([read_live_set()], **{**TIME, "at": DECEMBER, "with_forecasts": False, **options}))


def test_a_time_without_limits_or_without_usage_is_refused_in_words():
    with pytest.raises(NothingToTry, match="No limit ran between 2026-11-01 and 2026-12-01"):
        try_live()
    make_window()
    with pytest.raises(NothingToTry, match="Nothing was used of any limit"):
        try_live()
    with pytest.raises(ValueError, match="ends after it starts"):
        try_live(end=NOVEMBER)


def test_it_says_how_far_it_is():
    for number in range(3):
        use(make_window(f"acme-{number}"), 1, at=day(5))
    seen = []
    try_live(batch=2, on_progress=lambda done, total: seen.append((done, total)))
    assert seen == [(2, 3), (3, 3)]
