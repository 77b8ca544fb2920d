"""How often one person may have us ask somebody else."""

from datetime import datetime

import structlog
from django.core.cache import cache
from redis.exceptions import RedisError

from portal.models import User

MINUTE = 60

log = structlog.get_logger(__name__)


def take_turn(user: User, what: str, *, per_minute: int, at: datetime) -> bool:
    """Whether this person may do it once more in this minute. While the cache is away nobody is counted."""
    key = f"{what}:{user.pk}:{at:%Y%m%d%H%M}"
    try:
        cache.add(key, 0, timeout=2 * MINUTE)
        return cache.incr(key) <= per_minute
    except (RedisError, ValueError) as error:
        log.warning("turns_not_counted", what=what, error=type(error).__name__)
        return True
