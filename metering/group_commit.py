"""What is posted at the same time is committed together: one transaction, one wait for the disk.

Who comes while nobody commits goes at once: alone, nobody waits. Who comes while another commits is queued, and taken
along by the next who does. Each is answered after the commit that it was part of. This works among the threads of one
process; each process commits by itself.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import Enum
from typing import Generic, TypeVar, cast

from django.db import connection

from metering.outages import find_outage

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


class State(Enum):
    QUEUED = "queued"
    LEADS = "leads"  # its turn to commit, with what is queued
    DONE = "done"
    FAILED = "failed"  # with everybody else: the database cannot serve
    ALONE = "alone"  # the commit failed for the fault of somebody in it: each goes by itself


class Ticket(Generic[Item, Outcome]):
    """An item in the queue. What its thread waits for is told by its state."""

    __slots__ = ("error", "gate", "item", "outcome", "state")

    def __init__(self, item: Item) -> None:
        self.item = item
        self.state = State.QUEUED
        self.outcome: Outcome | None = None
        self.error: BaseException | None = None
        self.gate = threading.Lock()
        self.gate.acquire()

    def wait(self) -> None:
        self.gate.acquire()

    def wake(self, state: State) -> None:
        self.state = state
        self.gate.release()


class GroupCommit(Generic[Item, Outcome]):
    """One queue. At any time one thread leads, which commits; the others wait for it, or for their turn to lead."""

    def __init__(
        self, act: Callable[[Sequence[Item]], Sequence[Outcome]], *, size: Callable[[Item], int], size_max: int
    ) -> None:
        """`act` commits the items that it is given, and returns what became of each. One group is at most so large."""
        self.act, self.size, self.size_max = act, size, size_max
        self.lock = threading.Lock()
        self.queue: deque[Ticket[Item, Outcome]] = deque()
        self.is_led = False

    def submit(self, item: Item) -> Outcome:
        """Returns after the commit. Raises what the database raises for this item, not for those beside it."""
        ticket: Ticket[Item, Outcome] = Ticket(item)
        with self.lock:
            self.queue.append(ticket)
            leads, self.is_led = not self.is_led, True
        if not leads:
            with suppress(Exception):  # whoever is queued must come to wait: it may be its turn to lead
                connection.close()  # back to the pool, for whoever leads
            ticket.wait()
        if leads or ticket.state is State.LEADS:
            self.lead()
        if ticket.state is State.ALONE:
            return self.act([item])[0]
        if ticket.error is not None:
            raise ticket.error
        return cast(Outcome, ticket.outcome)

    def lead(self) -> None:
        """Commit what is queued, the leader's own first; then let the next lead, and tell all how it ended."""
        with self.lock:
            group = self.take_group()
        state = State.ALONE
        try:
            state = self.commit(group)
        finally:
            with self.lock:
                successor = self.queue[0] if self.queue else None
                self.is_led = successor is not None
            if successor is not None:
                successor.wake(State.LEADS)
            for ticket in group:
                ticket.wake(state)

    def take_group(self) -> list[Ticket[Item, Outcome]]:
        """Never empty. What would be too much for one commit is left to the next."""
        group = [self.queue.popleft()]
        size = self.size(group[0].item)
        while self.queue and (size := size + self.size(self.queue[0].item)) <= self.size_max:
            group.append(self.queue.popleft())
        return group

    def commit(self, group: Sequence[Ticket[Item, Outcome]]) -> State:
        try:
            outcomes = self.act([ticket.item for ticket in group])
        except Exception as error:
            if len(group) > 1 and find_outage(error) is None:
                return State.ALONE
            for ticket in group:
                ticket.error = error
            return State.FAILED
        for ticket, outcome in zip(group, outcomes, strict=True):
            ticket.outcome = outcome
        return State.DONE
