"""What was refused is kept with its reason and its body, within bounds, and can be replayed."""

import json
import random
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from metering import figures
from metering.accounts import add_alias
from metering.figures import flush_figures, read_figures
from metering.invariants import check
from metering.keys import issue_key
from metering.models import ApiKey, Event, RejectedEvent
from metering.rejections import Rejection, keep_rejections, list_rejections, prune_rejections
from metering.replay import replay_rejections
from metering.usage import read_usage
from tests.metering.makers import NOON, make_account, make_key, make_meter
from tests.metering.senders import EVENT, Sender, is_problem, list_fates, make_ground
from tests.metering.threads import open_threads

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(days=2)
AT_NOON = EVENT | {"time": "2026-11-10T12:00:00Z"}


@pytest.fixture(autouse=True)
def noon():
    figures.begin_anew()
    with time_machine.travel(NOON, tick=False):
        yield
    assert list(check()) == []


@pytest.fixture
def send(client: Client) -> Any:
    return Sender(client, make_ground())


def test_a_refused_row_is_kept_as_it_was_sent(send):
    wrong = EVENT | {"id": "2", "type": "other", "extension": "stays"}
    assert list_fates(send([EVENT, wrong, 5])) == ["accepted", "rejected", "rejected"]
    number, row = list_rejections()
    assert (row.source, row.event_id, row.code, row.field) == ("shop", "2", "unknown_type", "type")
    assert row.message == "No meter counts this type; known are: request."
    assert json.loads(row.body) == wrong
    assert (row.times, row.received_at, row.key_name, row.is_cut) == (1, NOON, "integrator", False)
    assert (number.source, number.event_id, number.code, number.body) == ("", "", "invalid", "5")


def test_a_conflict_is_kept_beside_what_stands(send):
    send(AT_NOON)
    assert list_fates(send(AT_NOON | {"data": {"bytes": 1}})) == ["conflict"]
    [row] = list_rejections(source="shop", event_id="1")
    assert (row.code, json.loads(row.body)["data"]) == ("conflict", {"bytes": 1})


def test_the_same_row_again_is_the_same_row_once_more(send):
    wrong = EVENT | {"type": "other"}
    send([wrong, wrong])
    with time_machine.travel(LATER, tick=False):
        send(wrong)
        send(wrong | {"id": "2"})
    second, first = list_rejections()
    assert (first.times, first.received_at, first.last_at) == (3, NOON, LATER)
    assert second.times == 1


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ('{"id": "1", "source": "shop", "type": "other", "subject": "acme"}\n\n', "application/x-ndjson"),
        (json.dumps(EVENT | {"specversion": "1.0", "type": "other"}), "application/cloudevents+json"),
        (f"[{json.dumps(EVENT | {'type': 'other'})}]", "application/cloudevents-batch+json"),
    ],
)
def test_each_way_to_send_leaves_the_text_of_its_row(send, body, content_type):
    send(body, content_type=content_type)
    [row] = list_rejections()
    assert row.code == "unknown_type"
    assert row.body == body.strip().strip("[]")


def test_binary_mode_leaves_the_event_in_structured_mode(send):
    headers = {"HTTP_CE_SPECVERSION": "1.0", "HTTP_CE_ID": "1", "HTTP_CE_SOURCE": "shop", "HTTP_CE_SUBJECT": "acme"}
    send('{"bytes": 1.50}', HTTP_CE_TYPE="other", **headers)
    [row] = list_rejections()
    assert json.loads(row.body, parse_float=Decimal) == EVENT | {
        "type": "other",
        "specversion": "1.0",
        "data": {"bytes": Decimal("1.50")},
    }


@pytest.mark.parametrize(
    ("body", "status", "code"), [('[{"id"', 400, "malformed"), ("[" + "1," * 1_000 + "1]", 413, "too_many_events")]
)
def test_a_body_without_rows_is_kept_whole(send, body, status, code):
    assert is_problem(send(body), status, code)
    [row] = list_rejections()
    assert (row.code, row.body, row.source, row.event_id) == (code, body, "", "")
    assert row.api_key_id == ApiKey.objects.get().pk


def test_nothing_is_kept_of_an_empty_body_or_without_a_key(send):
    assert is_problem(send(" "), 400, "malformed")
    assert is_problem(send("[{", key=None), 401, "invalid_key")
    assert RejectedEvent.objects.count() == 0


def test_a_long_body_is_cut(send, settings):
    settings.EVENT_REJECTED_BODY_BYTES = 20
    send("{" + "é" * 30)
    [row] = list_rejections()
    assert row.is_cut
    assert row.body == "{" + "é" * 9 + "\ufffd"


def test_a_key_leaves_only_so_many_in_an_hour(send, settings):
    settings.EVENT_REJECTED_HOURLY_MAX = 3
    wrong = [EVENT | {"id": str(n), "type": "other"} for n in range(5)]
    send(wrong[:2])
    send(wrong)
    assert RejectedEvent.objects.count() == 3
    send(wrong[:1])
    assert RejectedEvent.objects.get(event_id="0").times == 3
    with time_machine.travel(NOON + timedelta(hours=1), tick=False):
        send(wrong[3:])
    assert RejectedEvent.objects.count() == 5


def test_what_no_database_keeps_is_replaced(send):
    send(json.dumps(EVENT | {"id": "a\0b"}))
    [row] = list_rejections(event_id="a\0b")
    assert row.event_id == "a\ufffdb"


def test_refusals_cost_one_statement_and_good_rows_none(send):
    wrong = [AT_NOON | {"id": str(n), "subject": ""} for n in range(2, 50)]
    new = iter(range(100, 1_000))

    def count(rows: list[dict[str, Any]], *, is_new: bool) -> int:
        good = AT_NOON | {"id": str(next(new))} if is_new else AT_NOON
        with CaptureQueriesContext(connection) as queries:
            send([*rows, good])
        return sum("SAVEPOINT" not in query["sql"] for query in queries)

    send(AT_NOON)
    assert count([], is_new=True) == 4  # the key, the claims, the events, what they come to
    assert count(wrong, is_new=True) == 5
    assert count([], is_new=False) == 2
    assert count(wrong, is_new=False) == 3


def test_a_replay_of_known_events_writes_no_row(send):
    send([AT_NOON, AT_NOON | {"id": "2"}])
    send([AT_NOON, AT_NOON | {"id": "2"}])
    assert RejectedEvent.objects.count() == 0
    flush_figures()
    key = ApiKey.objects.get().pk
    [hour] = read_figures(api_key_ids=[key], start=NOON, end=LATER)[key]
    assert (hour.accepted, hour.duplicate, hour.sent) == (2, 2, 4)


def test_figures_count_a_malformed_body_as_one(send):
    send([EVENT, EVENT | {"id": "2", "subject": "nobody"}, EVENT | {"type": "other"}, 5])
    send("{")
    flush_figures()
    key = ApiKey.objects.get().pk
    [hour] = read_figures(api_key_ids=[key], start=NOON, end=LATER)[key]
    assert (hour.accepted, hour.unmatched, hour.rejected) == (1, 1, 3)


def test_after_the_fix_a_replay_counts_what_was_refused(send):
    send([AT_NOON | {"id": "2", "type": "other", "data": {"bytes": 7}}, AT_NOON | {"id": "3", "type": "third"}])
    make_meter("bytes", event_type="other", value="bytes")
    report = replay_rejections(at=LATER)
    assert (report.fates, report.cut, report.taken) == ({"accepted": 1, "rejected": 1}, 0, 2)
    event = Event.objects.get()
    assert (event.event_id, event.happened_at, event.received_at) == ("2", NOON, LATER)
    assert event.api_key_id == ApiKey.objects.get().pk
    usage = read_usage(account_id=event.account_id, meter_key="bytes", start=NOON, end=LATER)
    assert usage.quantity == 7
    done = RejectedEvent.objects.get(event_id="2")
    assert (done.replay_fate, done.replayed_at, done.code) == ("accepted", LATER, "unknown_type")
    assert replay_rejections(at=LATER).fates == {"rejected": 1}
    assert Event.objects.count() == 1


def test_a_replay_meets_the_senders_own_second_try(send):
    wrong = AT_NOON | {"id": "2", "type": "other"}
    send(wrong)
    make_meter("others", event_type="other")
    assert list_fates(send(wrong)) == ["accepted"]
    assert replay_rejections(at=LATER).fates == {"duplicate": 1}


def test_an_event_without_a_time_happened_when_it_first_came(send):
    wrong = EVENT | {"id": "2", "type": "other"}
    send(wrong)
    make_meter("others", event_type="other")
    replay_rejections(at=LATER)
    assert Event.objects.get().happened_at == NOON
    assert list_fates(send(wrong)) == ["duplicate"]


def test_an_event_is_as_old_as_it_was_when_it_came(send, settings):
    edge = (NOON - timedelta(days=settings.EVENT_MAX_AGE_DAYS)).isoformat()
    send(EVENT | {"id": "2", "type": "other", "time": edge})
    make_meter("others", event_type="other")
    assert replay_rejections(at=NOON + timedelta(days=25)).fates == {"accepted": 1}


def test_a_time_that_was_in_the_future_may_have_come(send):
    send(EVENT | {"time": (NOON + timedelta(days=1)).isoformat()})
    assert replay_rejections(at=NOON + timedelta(hours=1)).fates == {"rejected": 1}
    assert replay_rejections(at=LATER).fates == {"accepted": 1}


def test_a_whole_body_that_can_be_read_by_now_is_taken_row_by_row(send, settings):
    settings.EVENT_BATCH_MAX = 2
    events = [AT_NOON | {"id": str(n)} for n in range(3)]
    assert is_problem(send(events), 413, "too_many_events")
    assert replay_rejections(at=LATER).fates == {"rejected": 1}
    settings.EVENT_BATCH_MAX = 3
    assert replay_rejections(at=LATER).fates == {"accepted": 1}
    assert Event.objects.count() == 3


def test_what_was_cut_is_not_replayed_but_told(send, settings):
    settings.EVENT_REJECTED_BODY_BYTES = 20
    send(EVENT | {"type": "other"})
    make_meter("others", event_type="other")
    report = replay_rejections(at=LATER)
    assert (report.fates, report.cut) == ({}, 1)


def test_a_row_that_was_a_list_stays_refused(send):
    send([[AT_NOON]])
    assert replay_rejections(at=LATER).fates == {"rejected": 1}


def test_the_command_replays_by_code_and_key_and_says_what_came_of_it(send):
    send([AT_NOON | {"id": "2", "type": "other"}, AT_NOON | {"id": "3", "subject": ""}])
    make_meter("others", event_type="other")
    prefix = ApiKey.objects.get().prefix
    out = StringIO()
    call_command("replay_rejected", "--code", "unknown_type", "--key", prefix, stdout=out)
    assert out.getvalue() == "1 taken again: 1 accepted.\n"
    out = StringIO()
    call_command("replay_rejected", stdout=out)
    assert out.getvalue() == "1 taken again: 1 rejected.\n"


def test_refusals_are_pruned_by_when_they_last_came(send, settings):
    send([EVENT | {"type": "other"}, 5])
    with time_machine.travel(LATER, tick=False):
        send([5])
    old = NOON + timedelta(days=settings.EVENT_REJECTED_DAYS, seconds=1)
    assert prune_rejections(at=old) == 1
    assert prune_rejections(at=old) == 0
    assert RejectedEvent.objects.get().times == 2


def test_pages_follow_each_other_without_a_gap(send):
    send([EVENT | {"id": str(n), "type": "other"} for n in range(5)])
    first = list_rejections(limit=2)
    second = list_rejections(limit=10, after=(first[-1].received_at, first[-1].id))
    assert len(first) == 2
    assert {row.event_id for row in [*first, *second]} == set("01234")
    assert len(second) == 3


def test_a_key_of_another_keeps_its_own(send):
    make_account("globex")
    other = make_key("other", at=NOON)
    send(EVENT | {"type": "other"})
    send(EVENT | {"type": "other"}, key=other.secret)
    assert RejectedEvent.objects.count() == 2
    assert [row.key_name for row in list_rejections(api_key_id=other.id)] == ["other"]


def test_a_key_of_an_account_is_held_to_its_account_in_a_replay_too(client: Client):
    """Its own refusals bear the account; what it sent of another stays refused until the name is its own."""
    acme = make_account()
    make_account("globex"), make_meter()
    secret = issue_key(name="acme", scopes=["events:write"], at=NOON, account_id=acme.id).secret
    send = Sender(client, secret)
    assert list_fates(send([AT_NOON | {"subject": "globex"}, AT_NOON | {"id": "2", "subject": "shop"}])) == [
        "rejected",
        "rejected",
    ]
    rows = list_rejections(account_id=acme.id, code="subject_not_yours")
    assert {row.event_id for row in rows} == {"1", "2"}
    assert replay_rejections(at=LATER).fates == {"rejected": 2}
    add_alias(account_id=acme.id, name="shop", at=NOON)
    assert replay_rejections(at=LATER).fates == {"rejected": 1, "accepted": 1}
    assert Event.objects.get().account_id == acme.id


@pytest.mark.django_db(transaction=True)
def test_small_posts_that_are_committed_together_leave_their_refusals_too(client: Client):
    send = Sender(client, make_ground())
    assert is_problem(send('[{"id"'), 400, "malformed")
    assert list_fates(send([AT_NOON, AT_NOON | {"type": "other"}])) == ["accepted", "rejected"]
    assert is_problem(send('[{"id"', key=None), 401, "invalid_key")
    assert {(row.code, row.times) for row in list_rejections()} == {("malformed", 1), ("unknown_type", 1)}
    flush_figures()
    key = ApiKey.objects.get().pk
    [hour] = read_figures(api_key_ids=[key], start=NOON, end=LATER)[key]
    assert (hour.accepted, hour.rejected) == (1, 2)


@pytest.mark.django_db(transaction=True)
def test_the_same_refusals_in_any_order_from_many_threads_are_each_one_row():
    key = make_key().id
    rows = [Rejection("shop", str(number), "invalid", "", "…", str(number).encode()) for number in range(40)]

    def keep(thread: int) -> None:
        shuffled = random.Random(thread).sample(rows, len(rows))  # noqa: S311
        for _ in range(5):
            keep_rejections(shuffled, api_key_id=key, account_id=None, at=NOON)

    with open_threads(6) as threads:
        threads.run_all(*[lambda thread=thread: keep(thread) for thread in range(6)])
    assert set(RejectedEvent.objects.values_list("times", flat=True)) == {30}
    assert RejectedEvent.objects.count() == 40


@pytest.mark.django_db(transaction=True)
def test_two_replays_at_once_take_each_row_once(client: Client):
    send = Sender(client, make_ground())
    send([AT_NOON | {"id": str(number), "type": "other"} for number in range(30)])
    make_meter("others", event_type="other")
    with open_threads(2) as threads:
        reports = threads.run_all(*[lambda: replay_rejections(at=LATER)] * 2)
    assert sum(report.fates.get("accepted", 0) for report in reports) == 30
    assert sum(report.taken for report in reports) == 30
    assert Event.objects.count() == 30
