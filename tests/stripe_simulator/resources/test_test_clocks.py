"""Test clocks: made, moved, listed, deleted."""

from datetime import timedelta

import pytest
import stripe

from tests.simulators import START

NOW = int(START.timestamp())
DAY = 24 * 3600


def clocks(simulator):
    return simulator.client().v1.test_helpers.test_clocks


def types_of(simulator):
    return [event.type for event in simulator.client().v1.events.list().data]


def wait_until_ready(simulator, id):
    for _ in range(200):
        if (clock := clocks(simulator).retrieve(id)).status == "ready":
            return clock
    raise AssertionError("it never became ready")


def test_an_advance_answers_advancing_and_becomes_ready(simulator):
    made = clocks(simulator).create({"frozen_time": NOW, "name": "one"})
    moving = clocks(simulator).advance(made.id, {"frozen_time": NOW + DAY})
    assert moving.status == "advancing"
    assert moving.status_details.advancing.target_frozen_time == NOW + DAY
    assert wait_until_ready(simulator, made.id).frozen_time == NOW + DAY
    assert types_of(simulator) == [
        "test_helpers.test_clock.ready",
        "test_helpers.test_clock.advancing",
        "test_helpers.test_clock.created",
    ]


@pytest.mark.parametrize("to", [NOW - DAY, NOW, NOW + 3 * 366 * DAY])
def test_an_advance_goes_forward_and_not_too_far(simulator, to):
    made = clocks(simulator).create({"frozen_time": NOW})
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        clocks(simulator).advance(made.id, {"frozen_time": to})
    assert refusal.value.param == "frozen_time"


def test_the_clock_of_the_simulator_stands_still_meanwhile(simulator):
    made = clocks(simulator).create({"frozen_time": NOW})
    clocks(simulator).advance(made.id, {"frozen_time": NOW + DAY})
    wait_until_ready(simulator, made.id)
    assert simulator.now() == START
    simulator.set_time(START + timedelta(days=2))
    assert clocks(simulator).retrieve(made.id).frozen_time == NOW + DAY


def test_a_deleted_clock_answers_its_stub(simulator):
    made = clocks(simulator).create({"frozen_time": NOW})
    assert clocks(simulator).delete(made.id).deleted is True
    assert clocks(simulator).list().data == []
    assert types_of(simulator)[0] == "test_helpers.test_clock.deleted"
