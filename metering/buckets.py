"""How fast somebody may ask: a bucket of tokens that fills at a rate, and of which each request takes one.

What else a request costs is known only when it has been read, and is taken before the next one: a thousand events at
once are one request, after which the bucket is in debt. The table is unlogged: a crash forgives.
"""

import math
import threading
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import LiteralString

from metering.models import TokenBucket
from metering.statements import run_statement

KEPT = timedelta(days=1)

# Reads a CTE `asked` (name, rate, capacity, wanted, debt, at): tokens a second, tokens at most, tokens wanted now, and
# tokens to be taken for what was let through before. `granted` is how many of those wanted there were.
POURED: LiteralString = """
    poured AS (
        INSERT INTO metering_tokenbucket AS b (name, level, granted, filled_at)
        SELECT name, tokens - granted, granted, at
        FROM asked, LATERAL (SELECT capacity - debt AS tokens) AS filled,
            LATERAL (SELECT greatest(0, least(wanted, floor(tokens))) AS granted) AS taken
        ORDER BY name
        ON CONFLICT (name) DO UPDATE SET (level, granted, filled_at) = (
            SELECT tokens - taken.granted, taken.granted, greatest(b.filled_at, at)
            FROM asked, LATERAL (
                SELECT greatest(0, extract(epoch FROM at - b.filled_at)) AS seconds
            ) AS waited, LATERAL (
                SELECT least(capacity, b.level + rate * seconds) - debt AS tokens
            ) AS filled, LATERAL (SELECT greatest(0, least(wanted, floor(tokens))) AS granted) AS taken
            WHERE asked.name = b.name
        )
        RETURNING name, level, granted
    )
"""

TAKE: LiteralString = f"""
    WITH asked AS (
        SELECT %s AS name, %s::numeric AS rate, %s::numeric AS capacity, 1 AS wanted, 0 AS debt, %s::timestamptz AS at
    ), {POURED}
    SELECT level, granted FROM poured
"""  # noqa: S608 (constants alone)


class Debts:
    """What the requests that this process let through cost beyond their one token, until it is taken.

    Each process keeps its own: of what a key sends through several, one request of each may be unpaid.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.tokens: Counter[str] = Counter()

    def add(self, name: str, tokens: int) -> None:
        if tokens > 0:
            with self.lock:
                self.tokens[name] += tokens

    def collect(self, names: Iterable[str]) -> dict[str, int]:
        """What each of them owes, which is forgotten here."""
        if not self.tokens:
            return {}
        with self.lock:
            return {name: self.tokens.pop(name) for name in names if name in self.tokens}


def take_token(name: str, *, rate: int, capacity: int, at: datetime) -> int:
    """Take one token; returns 0, or the seconds until there is one. One statement."""
    [(level, granted)] = run_statement(TAKE, [name, str(rate), str(capacity), at])
    return 0 if granted else seconds_until(1, level=level, rate=rate)


def seconds_until(tokens: int, *, level: Decimal, rate: int) -> int:
    return max(1, math.ceil((tokens - level) / rate))


def forget_buckets(*, at: datetime) -> int:
    """Remove those that nobody has asked for a day: they are full, but for the debts of who has stopped asking."""
    return TokenBucket.objects.filter(filled_at__lt=at - KEPT).delete()[0]
