"""Stripe's own CLI against the simulator: for every billing event it can trigger, that event really comes out."""

import json
import os
import re
import subprocess

import pytest

from tests.simulators import KEY
from tests.stripe_cli import triggers
from tests.stripe_cli.install import BINARY, is_installed

pytestmark = pytest.mark.skipif(not is_installed(), reason="needs the Stripe CLI: make setup-dev")


def run_cli(*arguments, home):
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "STRIPE_CLI_TELEMETRY_OPTOUT": "1"}
    return subprocess.run(
        [str(BINARY), *arguments], check=False, capture_output=True, text=True, env=environment, timeout=60
    )


def trigger(simulator, name, home):
    """What the CLI said, and the types of the events that came out."""
    run = run_cli("trigger", name, "--api-base", simulator.url, "--api-key", f"{KEY}0123456789", home=home)
    simulator.settle()
    return run.stdout + run.stderr, [json.loads(body)["type"] for _, body in simulator.take_webhooks()]


@pytest.mark.parametrize("name", sorted(triggers.STRICT))
def test_a_trigger_of_today_is_accepted_as_it_is(simulator, tmp_path, name):
    said, types = trigger(simulator, name, tmp_path)
    assert triggers.NAMED_OTHERWISE.get(name, name) in types, said


@pytest.mark.parametrize(
    ("parameter", "name"),
    sorted((parameter, name) for parameter, names in triggers.DRIFTED.items() for name in names),
)
def test_a_trigger_of_yesterday_needs_its_one_parameter_let_through(simulator, tmp_path, parameter, name):
    simulator.settings(compat=[parameter])
    said, types = trigger(simulator, name, tmp_path)
    assert name in types, said


@pytest.mark.parametrize(
    ("parameter", "name"), [(parameter, sorted(names)[0]) for parameter, names in triggers.DRIFTED.items()]
)
def test_a_trigger_of_yesterday_is_refused_without(simulator, tmp_path, parameter, name):
    said, types = trigger(simulator, name, tmp_path)
    assert "Received unknown parameter" in said
    assert parameter.rpartition(".")[2] in said
    assert name not in types


def test_no_trigger_is_left_out(tmp_path):
    shown = run_cli("trigger", "--help", home=tmp_path).stdout
    listed = set(re.findall(r"^  ([a-z0-9_]+\.[a-z0-9_.]+)$", shown, re.MULTILINE))
    assert len(listed) > 100
    known = triggers.STRICT.union(*triggers.DRIFTED.values(), triggers.NOT_COVERED)
    assert {name for name in listed if not name.startswith(triggers.FAR)} == known
