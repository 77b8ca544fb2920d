from datetime import timedelta
from decimal import Decimal

import pytest

from metering.alerts import SnoozeWithoutEnd, check_limits, end_snooze, list_snoozes, snooze
from metering.models import Alert, Notice, Snooze
from tests.metering.alerts.story import Story, day
from tests.metering.makers import make_meter
from tests.metering.threads import open_threads

pytestmark = pytest.mark.django_db


@pytest.fixture
def story(db) -> Story:
    story = Story()
    story.limit(day(1, 0), "100")
    story.use(day(6), "81")
    return story


def quieten(story: Story, **terms):
    return snooze(account_id=story.account_id, **{"made_by": "ann", "at": day(6, 12)} | terms)


def reminded() -> list[tuple[int, int]]:
    notices = Notice.objects.filter(occasion="reminded").values_list("alert__level", "alert__arming").distinct()
    return [(int(level), arming) for level, arming in notices]


def test_a_snooze_keeps_silent_and_ends_with_one_reminder(story):
    made = quieten(story, until=day(13), meter_id=story.meter_id)
    story.use(day(8), "70")
    story.use(day(10), "83")
    assert story.silent() == [(day(10), "snoozed")]
    for at in (day(13), day(13, 11), day(14)):
        check_limits(at=at)
    assert list(Alert.objects.filter(reminded_at=day(13)).values_list("level", "arming")) == [(80, 2)]
    assert reminded() == [(80, 2)]
    assert Snooze.objects.get().ended_at == day(13)
    assert not end_snooze(made.id, at=day(14))


def test_a_snooze_of_the_account_covers_all_its_meters_one_of_another_meter_nothing(story):
    story.use(day(7), "70")
    other = make_meter("requests").id
    quieten(story, until=day(13), at=day(8), meter_id=other)
    story.use(day(9), "83")
    assert story.silent() == []
    story.use(day(10), "70")
    quieten(story, until=day(13), at=day(10))
    story.use(day(11), "83")
    assert story.silent() == [(day(11), "snoozed")]


def test_a_further_level_speaks_and_is_not_reminded_of(story):
    quieten(story, until=day(13))
    story.use(day(8), "101")
    check_limits(at=day(13))
    assert story.spoken() == [(day(6), 80), (day(8), 100)]
    assert reminded() == []


def test_a_snooze_until_a_level_is_ended_by_it(story):
    quieten(story, until_level=Decimal(100))
    story.use(day(8), "99")
    assert len(list_snoozes([story.account_id], at=day(8))) == 1
    story.use(day(9), "100")
    assert story.spoken() == [(day(6), 80), (day(9), 100)]
    assert Snooze.objects.get().ended_at == day(9)


def test_a_new_snooze_takes_the_place_of_the_one_that_runs(story):
    first = quieten(story, until=day(13))
    second = quieten(story, until=day(20), at=day(7), reason="on holiday")
    assert [each.id for each in list_snoozes([story.account_id], at=day(8))] == [second.id]
    assert Snooze.objects.get(pk=first.id).ended_at == day(7)
    check_limits(at=day(14))
    assert reminded() == []


def test_ending_a_snooze_reminds_at_once_and_twice_ends_nothing_more(story):
    made = quieten(story, until=day(13))
    assert end_snooze(made.id, at=day(9))
    assert not end_snooze(made.id, at=day(9))
    assert reminded() == [(80, 1)]


def test_what_is_over_is_not_reminded_of(story):
    quieten(story, until=day(13))
    story.use(day(8), "60")
    check_limits(at=day(13))
    assert reminded() == []


@pytest.mark.parametrize(
    "terms", [{}, {"until": day(6, 12)}, {"until_level": Decimal(0)}, {"until": day(9), "until_level": Decimal(-1)}]
)
def test_a_snooze_ends_some_time(story, terms):
    with pytest.raises(SnoozeWithoutEnd):
        quieten(story, **terms)
    assert not Snooze.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_checks_end_a_snooze_with_one_reminder(transactional_db):
    story = Story()
    story.limit(day(1, 0), "100")
    story.use(day(6), "81")
    quieten(story, until=day(13))
    with open_threads(4) as threads:
        threads.run_all(*[lambda: check_limits(at=day(13) + timedelta(minutes=1))] * 4)
    assert Notice.objects.filter(occasion="reminded").count() == 3  # one for each audience
