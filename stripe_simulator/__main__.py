"""`python -m stripe_simulator`: serve on loopback until a signal comes."""

import argparse
import os
import signal
import sys
import threading
import time

from stripe_simulator.resources.test_clocks import resume_advances
from stripe_simulator.server import Server
from stripe_simulator.simulator import Simulator


def main() -> None:
    parser = argparse.ArgumentParser(prog="stripe_simulator", description="A local Stripe on loopback.")
    parser.add_argument("--port", type=int, default=12111, help="0 takes a free one")
    parser.add_argument("--path", help="a SQLite file that keeps the state; without it all is in memory")
    parser.add_argument("--clock", choices=("real", "frozen"), default="real")
    parser.add_argument("--end-with-input", action="store_true", help="end when standard input does: with its parent")
    options = parser.parse_args()
    if options.end_with_input:
        threading.Thread(target=end_with_input, daemon=True).start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    sim = Simulator(options.path, int(time.time()) if options.clock == "frozen" else None)
    sim.start_ticking()
    sim.events.webhooks.resume()
    resume_advances(sim)
    server = Server(sim, options.port)
    print(f"Stripe simulator on {server.url}", flush=True)
    server.serve_forever()


def end_with_input() -> None:
    """Whoever started it is gone, maybe killed: nobody would end it."""
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
