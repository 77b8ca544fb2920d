"""Threads that post at the same time share a commit; each hears of its own events, once they are committed."""

import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from django.db import DataError, InterfaceError, OperationalError, connection
from django.utils import timezone

from metering import group_commit, intake
from metering.events import Fate
from metering.figures import flush_figures
from metering.group_commit import GroupCommit
from metering.intake import Post, take_requests
from metering.invariants import check
from metering.keys import InvalidKey, debts, issue_key
from metering.models import Event, HourlyRollup, IngestionFigure
from tests.metering.makers import make_account, make_event, make_key, make_meter
from tests.metering.threads import PATIENCE, open_threads

THREADS = 8


class Recorder:
    """Acts on items, which are numbers, by doubling them. Holds the first group until it is told to go on."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.has_begun, self.may_go_on = threading.Event(), threading.Event()

    def __call__(self, items: Sequence[int]) -> list[int]:
        self.groups.append(list(items))
        if len(self.groups) == 1:
            self.has_begun.set()
            assert self.may_go_on.wait(PATIENCE)
        return [2 * item for item in items]


def wait_for_queue(group: "GroupCommit[Any, Any]", length: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while len(group.queue) < length:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def submit_behind(act: Recorder, items: Sequence[int], *, size_max: int = 100) -> "list[Any]":
    """The first alone, and the others while it is under way; the outcomes, or the errors, in their order."""
    group = GroupCommit(act, size=lambda item: 1, size_max=size_max)

    def submit(item: int) -> Any:
        try:
            return group.submit(item)
        except Exception as error:
            return error

    with open_threads(len(items)) as threads:
        first = threads.start(submit, items[0])
        assert act.has_begun.wait(PATIENCE)
        others = []
        for number, item in enumerate(items[1:], 1):
            others.append(threads.start(submit, item))
            wait_for_queue(group, number)
        act.may_go_on.set()
        outcomes = [each.result(PATIENCE) for each in [first, *others]]
    assert (group.is_led, len(group.queue)) == (False, 0)
    return outcomes


def test_who_comes_alone_goes_at_once():
    act = Recorder()
    act.may_go_on.set()
    group = GroupCommit(act, size=lambda item: 1, size_max=100)
    assert [group.submit(item) for item in (1, 2)] == [2, 4]
    assert act.groups == [[1], [2]]


def test_who_comes_meanwhile_is_taken_along_by_the_next():
    act = Recorder()
    assert submit_behind(act, [1, 2, 3, 4]) == [2, 4, 6, 8]
    assert act.groups == [[1], [2, 3, 4]]


def test_a_group_is_bounded_and_its_rest_is_the_next_one():
    act = Recorder()
    assert submit_behind(act, [1, 2, 3, 4, 5, 6], size_max=2) == [2, 4, 6, 8, 10, 12]
    assert act.groups == [[1], [2, 3], [4, 5], [6]]


def test_a_connection_that_cannot_be_given_back_does_not_end_the_queue(monkeypatch):
    class Broken:
        def close(self) -> None:
            raise InterfaceError("the pool is closed")

    monkeypatch.setattr(group_commit, "connection", Broken())
    assert submit_behind(Recorder(), [1, 2, 3]) == [2, 4, 6]


class Refusing(Recorder):
    """Cannot act on a group with an odd number beyond the first."""

    def __call__(self, items: Sequence[int]) -> list[int]:
        outcomes = super().__call__(items)
        if len(self.groups) > 1 and any(item % 2 for item in items):
            raise DataError("odd")
        return outcomes


def test_one_at_fault_does_not_spoil_the_others():
    act = Refusing()
    first, *others, odd = submit_behind(act, [2, 4, 6, 8, 9])
    assert (first, others) == (4, [8, 12, 16])
    assert isinstance(odd, DataError)
    assert act.groups[:2] == [[2], [4, 6, 8, 9]]
    assert sorted(act.groups[2:]) == [[4], [6], [8], [9]]


class Failing(Recorder):
    def __call__(self, items: Sequence[int]) -> list[int]:
        outcomes = super().__call__(items)
        if len(self.groups) > 1:
            raise OperationalError("the server closed the connection")
        return outcomes


def test_an_outage_is_everybodys_and_is_not_tried_once_for_each():
    act = Failing()
    first, *others = submit_behind(act, [1, 2, 3])
    assert first == 2
    assert [type(each) for each in others] == [OperationalError, OperationalError]
    assert act.groups == [[1], [2, 3]]


@pytest.fixture
def header(transactional_db: None) -> str:
    make_account(), make_meter()
    return f"Bearer {make_key(at=timezone.now()).secret}"


def make_post(header: str, *ids: str, **options: Any) -> Post:
    return Post(header, [make_event(each, time=None, **options) for each in ids], timezone.now())


def test_every_event_of_many_threads_counts_once_and_is_committed_when_its_thread_goes_on(header):
    def send(thread: int) -> list[bool]:
        seen = []
        for number in range(15):
            [fate] = intake.queue.submit(make_post(header, f"{thread}-{number}")).fates
            assert fate.fate == Fate.ACCEPTED
            connection.close()
            seen.append(Event.objects.filter(event_id=f"{thread}-{number}").exists())
        return seen

    with open_threads(THREADS) as threads:
        seen = threads.run_all(*[lambda thread=thread: send(thread) for thread in range(THREADS)])
    assert all(all(each) for each in seen)
    assert Event.objects.count() == THREADS * 15
    assert HourlyRollup.objects.get().total == THREADS * 15
    assert list(check()) == []


def test_the_same_event_from_many_threads_at_once_is_accepted_once(header):
    with open_threads(THREADS) as threads:
        sent = [lambda: intake.queue.submit(make_post(header, "same")).fates[0].fate for _ in range(THREADS)]
        fates = threads.run_all(*sent)
    assert sorted(fates) == [Fate.ACCEPTED, *[Fate.DUPLICATE] * (THREADS - 1)]
    assert HourlyRollup.objects.get().total == 1


def test_each_of_a_group_is_judged_by_its_own_key(header):
    bad = header[:-1] + ("a" if header[-1] != "a" else "b")
    posts = [make_post(header, "1"), make_post(bad, "2"), make_post("", "3"), make_post(header, "4", subject="nobody")]
    first, second, third, fourth = take_requests(posts)
    assert [each.fate for taken in (first, fourth) for each in taken.fates] == [Fate.ACCEPTED, Fate.UNMATCHED]
    assert (type(second), type(third)) == (InvalidKey, InvalidKey)
    assert set(Event.objects.values_list("event_id", flat=True)) == {"1", "4"}


def test_a_group_costs_no_more_statements_than_one_request(header, django_assert_max_num_queries):
    take_requests([make_post(header, "0")])
    posts = [make_post(header, str(number), subject=f"nobody-{number}") for number in range(1, 60)]
    with django_assert_max_num_queries(8):  # with BEGIN and COMMIT
        assert len(take_requests(posts)) == 59


@pytest.fixture
def refuse_seven(header: str) -> Iterator[None]:
    """By a trigger that refuses one event alone: the whole group falls, and each is tried by itself."""
    with connection.cursor() as cursor:
        cursor.execute("""
            CREATE FUNCTION refuse_seven() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN IF NEW.event_id = '7' THEN RAISE EXCEPTION 'seven' USING ERRCODE = '22000'; END IF;
                RETURN NEW; END $$;
            CREATE TRIGGER refuses BEFORE INSERT ON metering_event FOR EACH ROW EXECUTE FUNCTION refuse_seven();
        """)
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER refuses ON metering_event; DROP FUNCTION refuse_seven()")


def test_a_fault_in_one_request_leaves_the_others_their_answers(header, refuse_seven):
    outcomes = send_together(header, [str(number) for number in range(10)])
    assert isinstance(outcomes.pop(7), DataError)
    assert [fate.fate for taken in outcomes for fate in taken.fates] == [Fate.ACCEPTED] * 9
    assert HourlyRollup.objects.get().total == 9
    assert list(check()) == []


def test_who_is_tried_again_for_the_fault_of_another_pays_once(refuse_seven):
    rated = issue_key(name="slow", scopes=["events:write"], at=timezone.now(), rate_per_second=1)  # ten at once
    outcomes = send_together(f"Bearer {rated.secret}", [str(number) for number in range(8)])
    assert isinstance(outcomes.pop(), DataError)
    assert [fate.fate for taken in outcomes for fate in taken.fates] == [Fate.ACCEPTED] * 7
    flush_figures()
    assert IngestionFigure.objects.get().accepted == 7


def test_events_that_were_not_stored_are_owed_nothing_for(refuse_seven):
    rated = issue_key(name="slow", scopes=["events:write"], at=timezone.now(), rate_per_second=1)
    post = make_post(f"Bearer {rated.secret}", "6", "7", "8")
    with pytest.raises(DataError):
        take_requests([post])
    assert not debts.tokens


def send_together(header: str, ids: Sequence[str]) -> list[Any]:
    """So that they are one group: the first is held until the others have queued behind an empty one."""
    act = HeldFirst()
    group = GroupCommit(act, size=lambda post: len(post.rows), size_max=500)

    def submit(post: Post) -> Any:
        try:
            return group.submit(post)
        except Exception as error:
            return error

    with open_threads(len(ids) + 1) as threads:
        first = threads.start(submit, Post(header, [], timezone.now()))
        assert act.has_begun.wait(PATIENCE)
        others = [threads.start(submit, make_post(header, each)) for each in ids]
        wait_for_queue(group, len(ids))
        act.may_go_on.set()
        first.result(PATIENCE)
        return [each.result(PATIENCE) for each in others]


class HeldFirst:
    def __init__(self) -> None:
        self.has_begun, self.may_go_on = threading.Event(), threading.Event()

    def __call__(self, posts: Sequence[Post]) -> list[Any]:
        if not self.has_begun.is_set():
            self.has_begun.set()
            assert self.may_go_on.wait(PATIENCE)
        return take_requests(posts)
