"""Whatever goes wrong on the way, in the end Stripe asked what Palier billed, and Palier billed what was used."""

import random

import pytest

from billing.models import DriftState, Period, StripeDrift, Subscription
from billing.stripe import client
from billing.stripe.drifts import describe
from portal.invariants import find_violations
from tests.billing.makers import JAN, make_meters, make_plan, make_subscription
from tests.scenarios.chaos import END, HOUR, SECRET, Chaos

pytestmark = [
    pytest.mark.django_db(transaction=True),
    # Who is killed closes no cursor.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"),
]

EVERYDAY, ALL = range(5), range(5, 200)


def live(simulator, settings, monkeypatch, seed, *, part):
    random.seed(seed)  # what backoffs are drawn from
    monkeypatch.setattr(client, "NETWORK_RETRIES", 0)  # they sleep: our own come by the clock
    client.build_client.cache_clear()
    settings.STRIPE_METER_EVENT_RATE = 1_000_000
    simulator.reset(JAN)
    settings.STRIPE_WEBHOOK_SECRETS = [SECRET]
    chaos = Chaos(simulator, seed, part=part)
    with chaos.travel():
        chaos.live()
        check(chaos)


def check(chaos):
    assert chaos.deaths > 0
    assert chaos.list_dead() == []
    assert list(find_violations()) == []
    assert [describe_open(each) for each in StripeDrift.objects.filter(state=DriftState.OPEN)] == []
    assert chaos.sum_billed() == chaos.sum_used()
    assert chaos.sum_ours() == chaos.sum_theirs()
    assert chaos.list_doubles() == []
    assert not Period.objects.filter(ends_at__lte=END, closed_at__isnull=True).exists()


def describe_open(drift):
    return f"{drift.kind} {drift.key}: {describe(drift)} ({drift.cause})"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", EVERYDAY)
def test_three_months_of_faults_end_with_the_same_on_both_sides(simulator, settings, monkeypatch, seed):
    live(simulator, settings, monkeypatch, seed, part=0.5)


@pytest.mark.soak
@pytest.mark.parametrize("seed", ALL)
def test_three_months_of_faults_end_with_the_same_on_both_sides_for_many_seeds(simulator, settings, monkeypatch, seed):
    live(simulator, settings, monkeypatch, seed, part=1)


@pytest.mark.parametrize(("at", "is_used"), [(JAN, False), (JAN + HOUR, True)])
def test_of_a_period_that_begins_now_nothing_is_used_yet(simulator, at, is_used):
    """A pause, or the end, may come in the same moment: then the period is none."""
    make_meters()
    make_subscription(plan=make_plan(limits=()))
    chaos = Chaos(simulator, 0)
    chaos.at = at
    chaos.use(Subscription.objects.get())
    assert bool(chaos.sum_used() or chaos.sent) == is_used
