"""The scenarios against the simulator on both sides: the same answers, and a difference where there is one."""

from dataclasses import replace
from pathlib import Path

import pytest

from stripe_replay.comparing import compare
from stripe_replay.running import CannotRun, open_stage, read_cassette, run_scenarios, write_cassette
from stripe_replay.scenarios import SCENARIOS

KEY = "sk_test_replay"


def record(simulator, *names):
    simulator.reset()
    return run_scenarios(open_stage({"STRIPE_REPLAY_KEY": KEY, "STRIPE_REPLAY_BASE": simulator.url}), names)


def test_all_scenarios_run_to_their_end_and_twice_the_same(simulator, tmp_path: Path):
    ours, theirs = record(simulator), record(simulator)

    assert {each.scenario for each in ours} == set(SCENARIOS)
    assert {each.status for each in ours} == {0, 200, 400, 402}
    assert list(compare(ours, theirs)) == []

    write_cassette(tmp_path / "ours.jsonl", ours)
    text = (tmp_path / "ours.jsonl").read_text()
    assert read_cassette(tmp_path / "ours.jsonl") == ours
    assert KEY not in text
    assert simulator.url not in text


def test_one_changed_field_is_one_difference_and_says_where(simulator):
    ours = record(simulator, "08")
    place = next(number for number, each in enumerate(ours) if each.step == "lines")
    theirs = [*ours]
    theirs[place] = replace(ours[place], body=ours[place].body | {"total": 751})

    assert list(compare(ours, theirs)) == ["08 a draft and its lines / lines: .total: 750 ≠ 751"]


def test_a_stripe_that_behaves_otherwise_is_noticed_and_the_next_scenario_still_run(simulator):
    ours = record(simulator, "08", "12")
    simulator.reset()
    simulator.fault("error", "/v1/invoices/{id}/add_lines", method="POST")
    stage = open_stage({"STRIPE_REPLAY_KEY": KEY, "STRIPE_REPLAY_BASE": simulator.url})

    found = list(compare(ours, run_scenarios(stage, ["08", "12"])))

    assert found[0] == "08 a draft and its lines / lines: status 200 ≠ 500"
    assert found[-1] == "08 a draft and its lines: lines of it ≠ nothing"


@pytest.mark.parametrize(
    ("environ", "why"),
    [
        ({}, "STRIPE_REPLAY_KEY is no test key"),
        ({"STRIPE_REPLAY_KEY": "sk_live_1"}, "STRIPE_REPLAY_KEY is no test key"),
        ({"STRIPE_REPLAY_KEY": "rk_live_1", "STRIPE_REPLAY_BASE": "http://127.0.0.1"}, "is no test key"),
        ({"STRIPE_REPLAY_KEY": KEY, "CI": "true"}, "CI is set"),
        ({"STRIPE_REPLAY_KEY": KEY, "STRIPE_REPLAY_BASE": "http://stripe.example"}, "neither https nor this machine"),
    ],
)
def test_a_replay_is_refused(environ: dict[str, str], why: str):
    with pytest.raises(CannotRun, match=why) as refusal:
        open_stage(environ)
    assert "_live_1" not in str(refusal.value)
