"""The simulator: one state under one lock. What handlers may use is what has no underscore here."""

import importlib
import pkgutil
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from stripe_simulator import resources
from stripe_simulator.clock import DUE, MAIN, Clock
from stripe_simulator.contract import get_contract
from stripe_simulator.errors import StripeError
from stripe_simulator.events import Events
from stripe_simulator.expanding import strip
from stripe_simulator.faults import Faults
from stripe_simulator.idempotency import Idempotency
from stripe_simulator.limits import Limits
from stripe_simulator.schedule import Schedule
from stripe_simulator.settings import Settings
from stripe_simulator.store import Store, new_id

Object = dict[str, Any]


KINDS_WITH_CLOCK = {
    "cus": "customer",
    "sub": "subscription",
    "si": "subscription_item",
    "in": "invoice",
    "ii": "invoiceitem",
}


def load_resources() -> None:
    """Import every module of `resources`, so that its routes and due jobs are known."""
    for module in pkgutil.walk_packages(resources.__path__, f"{resources.__name__}."):
        importlib.import_module(module.name)


class Simulator:
    def __init__(self, path: str | None = None, frozen: int | None = None) -> None:
        load_resources()
        self.contract = get_contract()
        self.store = Store(path)
        self.clock = Clock(frozen)
        self.settings = Settings()
        self.lock = threading.RLock()
        self.events = Events(self)
        self.violations: list[Object] = []
        self.memory: dict[str, Any] = {}  # for modules: what need not survive a restart; emptied by a reset
        self.request: Any = None
        self.due = Schedule(self.store)
        self.idempotency = Idempotency(self)
        self.faults = Faults()
        self.limits = Limits("on" if frozen is None else "count")
        self._clock_in_use = MAIN
        self._behind: list[Callable[[], None]] = []
        self._threads: list[threading.Thread] = []
        kept = self.store.peek("_clock", "main")
        if kept is not None:
            self.clock.load(kept)

    # Ids, time

    def new_id(self, prefix: str) -> str:
        return new_id(prefix)

    def now(self, customer: str | None = None) -> int:
        """Unix seconds of the customer's clock; without a customer, of the clock whose work is being done."""
        if customer is not None:
            return self.clock_time(self.find_clock_of(customer) or MAIN)
        return self.clock_time(self._clock_in_use)

    def clock_time(self, clock: str) -> int:
        if clock and (found := self.store.peek("test_helpers.test_clock", clock)):
            frozen: int = found["frozen_time"]
            return frozen
        return self.clock.read()

    def find_clock_of(self, id: str) -> str | None:
        """The test clock of any object, by its id."""
        prefix = id.partition("_")[0]
        if prefix not in KINDS_WITH_CLOCK:
            return id if prefix == "clock" else None
        found = self.store.peek(KINDS_WITH_CLOCK[prefix], id)
        return self.find_clock_of_object(found) if found else None

    def find_clock_of_object(self, value: Object) -> str | None:
        clock = value.get("test_clock")
        if isinstance(clock, str):
            return clock
        for name in ("customer", "subscription"):
            owner = value.get(name)
            if isinstance(owner, str) and (found := self.store.peek(name, owner)) and found.get("test_clock"):
                return str(found["test_clock"])
        return None

    # Work that comes later

    def schedule(
        self, at: int, name: str, payload: Object, *, customer: str | None = None, clock: str | None = None
    ) -> str:
        """Call what `@due(name)` registered when the clock of the customer (else the one in use) has come to `at`."""
        if name not in DUE:
            raise LookupError(f"nothing is registered as due {name}")
        if clock is None:
            clock = (self.find_clock_of(customer) or MAIN) if customer is not None else self._clock_in_use
        return self.due.add(clock, at, name, payload)

    def unschedule(self, name: str, **payload: Any) -> None:
        """Forget what was to come under this name with these values in its payload; fast if `id` is among them."""
        self.due.remove(name, payload)

    def run_due(self, clock: str, until: int, *, move: bool) -> int:
        """Do in order of time what is due up to `until`; `move` takes a frozen clock along. How much was done."""
        count = 0
        while self.run_next(clock, until, move=move):
            if move:
                self.events.webhooks.settle()
            count += 1
        return count

    def run_next(self, clock: str, until: int, *, move: bool) -> bool:
        row = None
        try:
            with self.work(clock):
                row = self.due.find_next(clock, until)
                if row is None:
                    return False
                if move and row["at"] > self.clock_time(clock):
                    self.set_clock(clock, row["at"])
                self.store.remove("_due", row["id"])
                DUE[row["name"]](self, self.clock_time(clock), row["payload"])
        except Exception:
            if row is None:
                raise
            self.record_crash(f"due {row['name']}")
            with self.work(clock):
                self.store.remove("_due", row["id"])
        return True

    def run_behind(self, task: Callable[[], None]) -> None:
        """After the present unit of work, on a thread of its own."""
        self._behind.append(task)

    def settle(self) -> None:
        """Do what is due by every clock as it stands, and wait for what is under way. Not under the lock."""
        for thread in list(self._threads):
            thread.join(30)
        for clock in (MAIN, *(row["id"] for row in list(self.store.scan("test_helpers.test_clock", status="ready")))):
            self.run_due(clock, self.clock_time(clock), move=True)
        self.events.webhooks.settle()

    def start_ticking(self) -> None:
        """With a real clock: do what is due as time goes by."""

        def tick() -> None:
            while True:
                time.sleep(0.2)
                if self.clock.frozen is None:
                    try:
                        self.run_due(MAIN, self.clock.read(), move=False)
                    except Exception:
                        self.record_crash("the clock")

        threading.Thread(target=tick, daemon=True).start()

    def set_clock(self, clock: str, to: int) -> None:
        if clock:
            self.store.get("test_helpers.test_clock", clock)["frozen_time"] = to
        else:
            self.clock.set(to)
            self.store.put("_clock", "main", {"id": "main", **self.clock.dump()})

    @contextmanager
    def work(self, clock: str = MAIN) -> Iterator[None]:
        """One unit of work under the lock: all of its changes and events, or none. Within a unit it is part of that."""
        with self.lock:
            if self.store.is_open:
                yield
                return
            self._clock_in_use, time_before = clock, self.clock.dump()
            try:
                with self.store.unit():
                    yield
            except StripeError as error:
                if error.keeps:
                    self._follow()
                else:
                    self._forget(time_before)
                raise
            except BaseException:
                self._forget(time_before)
                raise
            finally:
                self._clock_in_use = MAIN
            self._follow()

    def _follow(self) -> None:
        """What a unit of work leads to: webhooks, and work on threads of its own."""
        behind, self._behind = self._behind, []
        self.events.webhooks.send_soon()
        for task in behind:
            thread = threading.Thread(target=task, daemon=True)
            self._threads = [other for other in self._threads if other.is_alive()] + [thread]
            thread.start()

    def _forget(self, time_before: dict[str, int | None]) -> None:
        self.clock.load(time_before)
        self.events.webhooks.fresh.clear()
        self._behind.clear()

    # Events

    def emit(self, type: str, value: Object, previous: Object | None = None) -> Object:
        """An event with a snapshot of the object, and its webhooks. An update finds its `previous_attributes`."""
        return self.events.emit(type, value, previous)

    def emit_thin(self, type: str, related: Object | None = None, data: Object | None = None) -> Object:
        """A v2 event. `related`: the object it is about."""
        return self.events.emit_thin(type, related, data)

    def was_delivered(self, event: Object | str) -> bool:
        """Whether every endpoint that was to get this event answered 2xx, or nobody was to get it."""
        return self.events.count_pending(event if isinstance(event, str) else event["id"]) == 0

    def after_delivery(self, event: str, name: str, payload: Object, *, customer: str | None = None) -> None:
        """Call what `@due(name)` registered once every webhook of the event has arrived; now, if it has."""
        clock = (self.find_clock_of(customer) or MAIN) if customer is not None else self._clock_in_use
        self.store.put("_after_delivery", event, {"id": event, "name": name, "payload": payload, "clock": clock})
        self.events.follow_delivery(event)

    # Honesty

    def show(self, value: Any) -> Any:
        """The value as it leaves the simulator."""
        return strip(value)

    def record_violation(self, where: str, problems: list[Any], body: Any = None) -> None:
        """Our own answer breaks the contract, or our own code broke: the test that met it fails at its end."""
        text = [str(problem) for problem in problems][:10]
        self.violations.append({"where": where, "problems": text, "body": body})

    def break_off(self, where: str, problems: list[Any], body: Any) -> NoReturn:
        """Record a breach of the contract and answer 500; nothing of the unit of work stays."""
        self.record_violation(where, problems, body)
        text = "; ".join(map(str, problems[:3]))
        raise StripeError(500, "api_error", None, f"The simulator breaks the contract ({where}): {text}")

    def record_crash(self, where: str) -> None:
        self.record_violation(where, [traceback.format_exc(limit=-6)])

    def reset(self, frozen: int | None) -> None:
        with self.lock:
            self.store.clear()
            self.settings = Settings()
            self.due.clear()
            self.faults = Faults()
            self.limits = Limits("on" if frozen is None else "count")
            self.events.webhooks.clear()
            self.violations.clear()
            self.memory.clear()
            self.clock = Clock(frozen)
            with self.store.unit():
                self.store.put("_clock", "main", {"id": "main", **self.clock.dump()})
