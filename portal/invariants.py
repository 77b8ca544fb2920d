"""The promises checked over the whole database: every app's own rules, gathered."""

from collections.abc import Iterator

import billing.invariants
import billing.stripe.invariants
import crm.invariants
import jobs.invariants
import metering.invariants
from jobs.invariants import Violation


def find_violations() -> Iterator[Violation]:
    """Yield what is broken, lowest app first. Reads every event: minutes on a large database."""
    yield from jobs.invariants.check()
    yield from metering.invariants.check()
    yield from billing.invariants.check()
    yield from billing.stripe.invariants.check_stripe()
    yield from crm.invariants.check()
