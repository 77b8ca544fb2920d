"""Who posts CloudEvents hears a status; who posts plain JSON reads the fates; `Prefer` turns either round."""

import json
from typing import Any

import pytest
from django.test import Client

from metering.api.answers import read_preference
from metering.models import Event
from tests.metering.senders import EVENT, Sender, is_problem, list_fates, make_ground

pytestmark = pytest.mark.django_db

SINGLE = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
FATES = {"HTTP_PREFER": "return=representation"}
BRIEF = {"HTTP_PREFER": "return=minimal"}
OTHER = EVENT | {"id": "2"}
CHANGED = EVENT | {"data": {"changed": True}}
BAD = EVENT | {"id": "3", "type": "nothing"}


@pytest.fixture
def send(client: Client) -> Any:
    return Sender(client, make_ground())


def test_all_that_is_kept_or_known_is_a_204(send):
    batch = [EVENT, OTHER | {"subject": "nobody"}, EVENT]
    assert send(batch, content_type=BATCH).status_code == 204
    assert send(batch, content_type=BATCH).status_code == 204
    assert send(EVENT, content_type=SINGLE).status_code == 204
    assert Event.objects.count() == 2


@pytest.mark.parametrize("prefer", ["return=representation", "respond-async, Return = Representation; x=1"])
def test_who_prefers_the_fates_gets_them(send, prefer):
    response = send([EVENT, BAD], content_type=BATCH, HTTP_PREFER=prefer)
    assert (response.status_code, response["Content-Type"]) == (200, "application/json")
    assert response["Preference-Applied"] == "return=representation"
    assert list_fates(response) == ["accepted", "rejected"]


def test_a_refused_event_is_a_problem_with_its_fate(send):
    send(EVENT)
    rejected = send(BAD, content_type=SINGLE)
    assert is_problem(rejected, 400, "unknown_type")
    assert rejected.json()["detail"] == "No meter counts this type; known are: request."
    assert list_fates(rejected) == ["rejected"]
    conflict = send(CHANGED, content_type=SINGLE)
    assert is_problem(conflict, 400, "conflict")
    assert conflict.json()["results"][0] | {"message": ""} == {
        "source": "shop", "id": "1", "fate": "conflict", "code": "conflict", "field": "id", "message": "",
        "skipped": [],
    }  # fmt: skip


def test_a_batch_with_a_refused_event_is_a_problem_and_its_good_events_stay(send):
    response = send([EVENT, BAD, CHANGED, OTHER], content_type=BATCH)
    assert is_problem(response, 400, "events_refused")
    body = response.json()
    assert body["detail"].startswith("2 of 4 events were refused; the others are stored.")
    assert list_fates(response) == ["accepted", "rejected", "conflict", "accepted"]
    assert (body["counts"]["accepted"], body["counts"]["rejected"], body["counts"]["conflict"]) == (2, 1, 1)
    assert Event.objects.count() == 2


def test_plain_json_is_answered_with_200_whatever_the_fates(send):
    response = send([EVENT, BAD])
    assert (response.status_code, "Preference-Applied" in response) == (200, False)
    assert list_fates(response) == ["accepted", "rejected"]


@pytest.mark.parametrize("content_type", ["application/json", "application/x-ndjson", SINGLE])
def test_who_prefers_little_gets_nothing_when_all_is_well(send, content_type):
    response = send(EVENT, content_type=content_type, **BRIEF)
    assert (response.status_code, response.content) == (204, b"")
    assert response["Preference-Applied"] == "return=minimal"


def test_who_prefers_little_hears_of_what_was_refused(send):
    response = send([EVENT, BAD], **BRIEF)
    assert (response.status_code, "Preference-Applied" in response) == (200, False)
    assert list_fates(response) == ["accepted", "rejected"]
    assert is_problem(send([EVENT, BAD], content_type=BATCH, **BRIEF), 400, "events_refused")


@pytest.mark.parametrize(
    ("header", "preference"),
    [
        (None, ""),
        ("", ""),
        ("return=minimal", "minimal"),
        ('return="representation"', "representation"),
        ("wait=10, return=minimal", "minimal"),
        ("return=minimal, return=representation", "minimal"),
        ("return=minimally", ""),
        ("xreturn=minimal", ""),
        ("return", ""),
    ],
)
def test_a_preference_is_read_as_rfc_7240_writes_it(header, preference):
    assert read_preference(header) == preference


def test_an_answer_in_full_is_json_of_its_own(send):
    assert json.loads(send(EVENT, content_type=SINGLE, **FATES).content)["counts"]["accepted"] == 1
