"""How long a failed job waits before its next attempt.

Exponential backoff with "full jitter": a uniform draw between zero and an exponentially growing ceiling, which
spreads a herd of jobs that failed together. After Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture
Blog, 2015, https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/.
"""

import random
from datetime import timedelta

BASE = timedelta(seconds=10)
CAP = timedelta(hours=1)


def find_ceiling(attempt: int) -> timedelta:
    """The longest wait after failed attempt number `attempt` (1 is the first): 10 s, 20 s, 40 s … 1 h."""
    doublings = min(attempt - 1, 30)  # far beyond the cap already; keeps the product inside timedelta's range
    return min(CAP, BASE * (1 << doublings))


def draw_backoff(attempt: int) -> timedelta:
    """Draw a wait between zero and the ceiling of this attempt."""
    return find_ceiling(attempt) * random.random()  # noqa: S311 - spreads load, keeps no secret
