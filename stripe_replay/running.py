"""One run of all scenarios, and the cassette that keeps what it was answered."""

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

from stripe import RequestsClient, StripeClient

from stripe_replay.scenarios import SCENARIOS
from stripe_replay.stage import Answer, Broken, Stage

STRIPE = "https://api.stripe.com"
TEST_KEYS = ("sk_test_", "rk_test_")
LOOPBACK = {"127.0.0.1", "::1", "localhost"}
STRIPE_LAG = 30  # seconds that a sandbox is given to count meter events


class CannotRun(Exception):
    """This key, or this place, is none that a replay may use; the message never holds the key."""


def open_stage(environ: Mapping[str, str]) -> Stage:
    """Of STRIPE_REPLAY_KEY and STRIPE_REPLAY_BASE (default: Stripe). Raises CannotRun."""
    if environ.get("CI", "").lower() not in ("", "0", "false"):
        raise CannotRun("CI is set: a replay makes objects in somebody's account, and is started by a person.")
    key = environ.get("STRIPE_REPLAY_KEY", "")
    if not key.startswith(TEST_KEYS):
        raise CannotRun(f"STRIPE_REPLAY_KEY is no test key (they start {' or '.join(TEST_KEYS)}).")
    base = (environ.get("STRIPE_REPLAY_BASE", "") or STRIPE).rstrip("/")
    if urlsplit(base).scheme != "https" and urlsplit(base).hostname not in LOOPBACK:
        raise CannotRun("STRIPE_REPLAY_BASE is neither https nor this machine.")
    client = StripeClient(
        key, base_addresses={"api": base}, max_network_retries=2, http_client=RequestsClient(timeout=60)
    )
    is_local = urlsplit(base).hostname in LOOPBACK
    return Stage(client, run=f"r{uuid4().hex[:12]}", lag=0 if is_local else STRIPE_LAG)


def run_scenarios(stage: Stage, names: Iterable[str] = ()) -> list[Answer]:
    """All of them, or those whose name starts with one of `names`. What breaks one does not stop the next."""
    wanted = tuple(names)
    for name, play in SCENARIOS.items():
        if not wanted or name.startswith(wanted):
            stage.begin(name)
            with suppress(Broken):
                play(stage)
    return stage.answers


def write_cassette(path: Path, answers: Iterable[Answer]) -> None:
    """One JSON object a line."""
    lines = (json.dumps(asdict(answer), ensure_ascii=False, sort_keys=True) for answer in answers)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def read_cassette(path: Path) -> list[Answer]:
    with path.open(encoding="utf-8") as lines:
        return [Answer(**json.loads(line)) for line in lines]
