"""How a run is cut into parts, each the work of one job. No Django here."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TypeVar

PART = 100  # entries, unless a single account has more

Item = TypeVar("Item")


def cut_parts(items: Iterable[tuple[int, Item]], *, size: int) -> Iterator[Sequence[Item]]:
    """Items by account, which come with those of an account in a row; no account is in two parts."""
    part: list[Item] = []
    for _account_id, group in groupby(items, key=lambda pair: pair[0]):
        of_account = [item for _account, item in group]
        if part and len(part) + len(of_account) > size:
            yield part
            part = []
        part.extend(of_account)
    if part:
        yield part


def name_part(run_id: int, number: int) -> str:
    """The key of the job that does it: `7:3`."""
    return f"{run_id}:{number}"


def name_retry(run_id: int, retry: int, account_id: int) -> str:
    """What is tried again is done for each account alone, so that one that kills its worker takes no other along."""
    return f"{run_id}:retry {retry}:account {account_id}"
