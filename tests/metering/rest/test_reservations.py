from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from metering.invariants import check
from metering.limits import LimitTerms, hand_over_limits
from metering.models import Event, Limit, Reservation
from tests.metering.makers import NOON, make_account, make_meter
from tests.metering.rest.makers import Caller, told

pytestmark = [pytest.mark.django_db, pytest.mark.time_machine(NOON, tick=False)]

START, END = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
ASKED = {"account": "acme", "meter": "minutes", "quantity": "2.5"}
URL = "/api/v1/reservations"


@pytest.fixture(autouse=True)
def limit(db: None) -> Any:
    account, minutes = make_account(), make_meter("minutes", event_type="job", value="minutes")
    terms = LimitTerms(minutes.id, Decimal(10), is_hard=True)
    hand_over_limits(account_ids=[account.id], terms=[terms], start=START, end=END, at=NOON)
    yield Limit.objects.get()
    assert list(check()) == []


@pytest.fixture
def caller(db: None) -> Caller:
    return Caller("reservations:write")


def hold(caller: Caller, **other: Any) -> dict[str, Any]:
    response = caller.post(URL, ASKED | other)
    assert response.status_code == 201
    return response.json()


def test_a_hold_is_answered_by_its_reservation(caller, limit):
    response = caller.post(URL, ASKED | {"expires_in": 60})
    assert response.status_code == 201
    body = response.json()
    assert body == {
        "id": body["id"],
        "account": "acme",
        "meter": "minutes",
        "quantity": "2.5",
        "over_limit": False,
        "state": "held",
        "created_at": "2026-11-10T12:00:00Z",
        "expires_at": "2026-11-10T12:01:00Z",
        "ended_at": None,
        "settled_quantity": None,
    }
    assert caller.get(f"{URL}/{body['id']}").json() == body
    limit.refresh_from_db()
    assert limit.held == Decimal("2.5")


def test_a_hold_costs_two_statements(caller, django_assert_num_queries):
    with django_assert_num_queries(4):  # the key and the hold, with the savepoint of a test's own transaction
        caller.post(URL, ASKED)


def test_a_hard_limit_says_what_remains(caller):
    hold(caller, quantity=8)
    response = caller.post(URL, ASKED)
    assert told(response) == (409, "limit_reached")
    body = response.json()
    assert {name: body[name] for name in ("limit", "used", "held", "remaining")} == {
        "limit": "10", "used": "0", "held": "8", "remaining": "2",
    }  # fmt: skip
    assert body["resets_at"] == "2026-12-01T00:00:00Z"


def test_a_soft_limit_grants_and_says_so(caller, limit):
    Limit.objects.update(is_hard=False)
    assert hold(caller, quantity=11)["over_limit"] is True


def test_asked_again_by_the_same_name_it_is_the_same(caller):
    first = caller.post(URL, ASKED, HTTP_IDEMPOTENCY_KEY="job-1")
    again = caller.post(URL, ASKED, HTTP_IDEMPOTENCY_KEY="job-1")
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    other = caller.post(URL, ASKED | {"quantity": 1}, HTTP_IDEMPOTENCY_KEY="job-1")
    assert told(other) == (409, "idempotency_conflict")
    assert caller.post(URL, ASKED, HTTP_IDEMPOTENCY_KEY="x" * 256).status_code == 400


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"account": "nobody"}, 404, "unknown_account"),
        ({"meter": "nothing"}, 404, "unknown_meter"),
        ({"account": "free"}, 409, "no_limit"),
        ({"quantity": 0}, 400, "invalid"),
        ({"quantity": "a"}, 400, "invalid"),
        ({"expires_in": 86_401}, 400, "invalid"),
        ({"account": "a\0b"}, 400, "invalid"),
    ],
)
def test_what_cannot_be_held(caller, change, status, code):
    make_account("free")
    assert told(caller.post(URL, ASKED | change)) == (status, code)
    assert not Reservation.objects.exists()


def test_settled_by_a_quantity_once_or_twice_it_counts_once(caller, limit):
    path = f"{URL}/{hold(caller)['id']}/settle"
    first, again = caller.post(path, {"quantity": "3.75"}), caller.post(path, {"quantity": "9"})
    assert first.status_code == 200
    assert (first.json()["state"], first.json()["settled_quantity"]) == ("settled", "3.75")
    assert first.json() == again.json()
    limit.refresh_from_db()
    assert (limit.used, limit.held) == (Decimal("3.75"), 0)


def test_settled_by_events_they_are_stored(caller, limit):
    events = [
        {"id": str(n), "source": "worker", "type": "job", "subject": "acme", "data": {"minutes": n / 10}}
        for n in (1, 2)
    ]
    response = caller.post(f"{URL}/{hold(caller)['id']}/settle", {"events": events})
    assert (response.status_code, response.json()["settled_quantity"]) == (200, "0.3")
    limit.refresh_from_db()
    assert (limit.used, limit.held, Event.objects.count()) == (Decimal("0.3"), 0, 2)


def test_refused_events_are_told_one_by_one(caller, limit):
    events = [
        {"id": "1", "source": "worker", "type": "job", "subject": "acme", "data": {"minutes": 1}},
        {"id": "2", "source": "worker", "type": "nothing", "subject": "acme"},
        {"id": "3", "source": "worker", "type": "job", "subject": "other"},
        {"id": "4"},
    ]
    path = f"{URL}/{hold(caller)['id']}/settle"
    response = caller.post(path, {"events": events})
    assert told(response) == (400, "usage_refused")
    assert [each["field"] for each in response.json()["errors"]] == ["events.2.subject", "events.3.source"]
    response = caller.post(path, {"events": events[:2]})
    assert [(each["field"], each["code"]) for each in response.json()["errors"]] == [("events.1.type", "unknown_type")]
    limit.refresh_from_db()
    assert (limit.used, limit.held, Event.objects.count()) == (0, Decimal("2.5"), 0)


@pytest.mark.parametrize(
    "body",
    [
        None, {}, [], {"quantity": "1", "events": []}, {"quantity": -1}, {"events": [], "time": "2026-11-10T12:00:00Z"},
        {"events": 5}, {"events": [5]}, {"quantity": "1", "data": []}, {"quantity": "1", "time": "yesterday"},
        {"quantity": "1", "time": "1970-01-01T00:00:00Z"}, {"quantity": 1, "data": {"a": "\0"}},
    ],
)  # fmt: skip
def test_what_settles_nothing(caller, body):
    response = caller.post(f"{URL}/{hold(caller)['id']}/settle", body)
    assert told(response)[0] == 400
    assert Reservation.objects.get().state == "held"


def test_a_count_says_that_it_needs_its_events(caller, limit):
    jobs = make_meter("jobs", event_type="done")
    terms = LimitTerms(jobs.id, Decimal(10), is_hard=True)
    hand_over_limits(account_ids=[limit.account_id], terms=[terms], start=START, end=END, at=NOON)
    path = f"{URL}/{hold(caller, meter='jobs', quantity=3)['id']}/settle"
    response = caller.post(path, {"quantity": 3})
    assert told(response) == (400, "invalid")
    assert response.json()["errors"][0]["code"] == "events_needed"
    assert caller.post(path, {"quantity": 1}).status_code == 200


def test_released_once_or_twice(caller, limit):
    path = f"{URL}/{hold(caller)['id']}"
    first, again = caller.post(f"{path}/release"), caller.post(f"{path}/release")
    assert (first.status_code, first.json()["state"]) == (200, "released")
    assert first.json() == again.json()
    assert told(caller.post(f"{path}/settle", {"quantity": 1})) == (409, "reservation_ended")
    limit.refresh_from_db()
    assert limit.held == 0


def test_what_was_settled_is_not_released(caller):
    path = f"{URL}/{hold(caller)['id']}"
    caller.post(f"{path}/settle", {"quantity": 0})
    assert told(caller.post(f"{path}/release")) == (409, "reservation_ended")


@pytest.mark.parametrize("path", ["", "/settle", "/release"])
def test_a_reservation_that_is_not_there(caller, path):
    url = f"{URL}/{uuid4()}{path}"
    response = caller.post(url, {"quantity": 1}) if path else caller.get(url)
    assert told(response) == (404, "unknown_reservation")


def test_an_account_holds_of_its_own_limits_and_knows_of_no_others(caller, limit):
    own = Caller("reservations:write", account_id=limit.account_id)
    stranger = Caller("reservations:write", account_id=make_account("other").id)
    url = f"{URL}/{hold(own)['id']}"
    assert told(stranger.post(URL, ASKED)) == (404, "unknown_account")
    responses = [stranger.get(url), stranger.post(f"{url}/settle", {"quantity": 1}), stranger.post(f"{url}/release")]
    assert {told(each) for each in responses} == {(404, "unknown_reservation")}
    assert own.get(url).json()["state"] == "held"
    assert caller.post(f"{url}/settle", {"quantity": 1}).status_code == 200  # the vendor sees them all


def test_every_view_needs_the_scope():
    stranger = Caller("limits:read")
    url = f"{URL}/{uuid4()}"
    responses = [
        stranger.post(URL, ASKED),
        stranger.get(url),
        stranger.post(f"{url}/settle"),
        stranger.post(f"{url}/release"),
    ]
    assert {told(each) for each in responses} == {(403, "missing_scope")}
    assert not Reservation.objects.exists()
