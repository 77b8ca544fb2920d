"""The trial: every window that overlaps the time asked for is lived again under each set, some accounts at a time."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from metering.trials.foretelling import foretell
from metering.trials.replaying import replay_window
from metering.trials.rule_sets import TrialSet
from metering.trials.scores import Said, Trial
from metering.trials.windows import count_accounts, list_accounts, read_windows

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

BATCH = 50  # accounts whose hours are in memory at once

OnProgress = Callable[[int, int], None]


class NothingToTry(LookupError):
    """No limit ran in this time, or nothing was used of any. Says so in the language of whoever reads it."""

    def __init__(self, reason: "_StrPromise", *, start: datetime, end: datetime) -> None:
        super().__init__(format_lazy(reason, start=f"{start:%Y-%m-%d}", end=f"{end:%Y-%m-%d}"))


def try_rules(
    sets: Sequence[TrialSet],
    *,
    start: datetime,
    end: datetime,
    at: datetime,
    with_forecasts: bool = True,
    on_progress: OnProgress = lambda done, total: None,
    batch: int = BATCH,
) -> Iterator[tuple[list[Trial], list[Said]]]:
    """Yields, some accounts at a time, the trials so far, one for each set, and what these accounts were told.

    What is told lies within [start, end); usage is known until `at`. It reads alone: in a transaction that may not
    write it does all it does. Raises ValueError where start is not before end, NothingToTry.
    """
    if start >= end:
        raise ValueError("a trial ends after it starts")
    total = count_accounts(start=start, end=end)
    if not total:
        raise NothingToTry(_("No limit ran between {start} and {end}."), start=start, end=end)
    trials = [Trial(each.name, start, end, at) for each in sets]
    done, has_usage = 0, False
    for account_ids in list_accounts(start=start, end=end, batch=batch):
        windows = read_windows(account_ids, start=start, end=end)
        foretold = foretell(windows, start=start, end=min(end, at)) if with_forecasts else {}
        said: list[Said] = []
        for window in windows:
            has_usage = has_usage or bool(window.used)
            for trial, tried in zip(trials, sets, strict=True):
                said += trial.add(window, replay_window(tried, window, foretold.get(window.limit_id, ())))
        done += len(account_ids)
        on_progress(done, total)
        yield trials, said
    if not has_usage:
        raise NothingToTry(_("Nothing was used of any limit between {start} and {end}."), start=start, end=end)
