from dataclasses import replace
from datetime import UTC, datetime, timedelta

from billing.periods import Cycle, Interval
from billing.stripe.cycles import Anchor
from billing.stripe.mirroring.stretches import PeriodFact, Stretch, begin_stretch, find_end
from tests.billing.makers import FEB, JAN, MAR, MID_JAN

APR = datetime(2026, 4, 1, tzinfo=UTC)
FIRST = PeriodFact(JAN, FEB, 1, is_free=False, is_prorated=False)
SECOND = PeriodFact(FEB, MAR, 1, is_free=False, is_prorated=False)
TRIAL_END = JAN + timedelta(days=14)
TRIAL = PeriodFact(JAN, TRIAL_END, 1, is_free=True, is_prorated=False)
REST = PeriodFact(TRIAL_END, FEB, 1, is_free=False, is_prorated=False)


def end_of(
    *periods: PeriodFact,
    trial_ends_at: datetime | None = None,
    is_running: bool = True,
    planned_end: datetime | None = None,
) -> datetime | None:
    return find_end(
        periods,
        starts_at=JAN,
        version_id=1,
        trial_ends_at=trial_ends_at,
        is_running=is_running,
        planned_end=planned_end,
    )


def test_a_stretch_goes_on_while_its_periods_do() -> None:
    assert end_of(FIRST, SECOND) is None


def test_another_version_ends_it() -> None:
    assert end_of(FIRST, replace(SECOND, version_id=2)) == FEB


def test_a_cut_ends_it_even_where_the_version_comes_back() -> None:
    assert end_of(replace(FIRST, ends_at=MID_JAN), replace(SECOND, starts_at=MID_JAN, is_prorated=True)) == MID_JAN


def test_a_pause_ends_it() -> None:
    assert end_of(replace(FIRST, ends_at=MID_JAN), is_running=False) == MID_JAN


def test_a_gap_ends_it() -> None:
    assert end_of(FIRST, replace(SECOND, starts_at=FEB + timedelta(days=1))) == FEB


def test_what_is_planned_ends_it_ahead() -> None:
    assert end_of(FIRST, planned_end=FEB) == FEB


def test_it_is_over_at_its_start_where_its_period_was_taken_back() -> None:
    assert end_of() == JAN
    assert end_of(replace(FIRST, version_id=2)) == JAN


def test_a_trial_that_ends_as_foreseen_does_not_end_it() -> None:
    assert end_of(TRIAL, REST, SECOND, trial_ends_at=TRIAL_END) is None


def test_a_trial_that_ends_earlier_ends_it() -> None:
    early = JAN + timedelta(days=3)
    assert end_of(replace(TRIAL, ends_at=early), replace(REST, starts_at=early), trial_ends_at=TRIAL_END) == early


def test_a_stretch_hangs_on_the_end_of_its_first_period() -> None:
    period = replace(FIRST, starts_at=MID_JAN)
    assert begin_stretch(period, Cycle(), "UTC") == Stretch(MID_JAN, 1, None, Anchor(FEB))


def test_after_a_trial_months_of_the_calendar_hang_on_the_first_of_one() -> None:
    assert begin_stretch(TRIAL, Cycle(), "UTC") == Stretch(JAN, 1, TRIAL_END, Anchor(FEB))


def test_after_a_trial_months_of_its_own_hang_on_its_end() -> None:
    cycle = Cycle(Interval.MONTH, TRIAL_END)
    assert begin_stretch(TRIAL, cycle, "UTC") == Stretch(JAN, 1, TRIAL_END, Anchor(TRIAL_END))


def test_months_from_the_31st_keep_their_day_through_february() -> None:
    start = datetime(2026, 1, 31, tzinfo=UTC)
    end = datetime(2026, 2, 28, tzinfo=UTC)
    period = replace(FIRST, starts_at=start, ends_at=end)
    assert begin_stretch(period, Cycle(Interval.MONTH, start), "UTC").anchor == Anchor(end, 31)
