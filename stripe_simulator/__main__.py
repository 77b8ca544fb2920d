"""`python -m stripe_simulator`: serve on loopback until a signal comes."""

import argparse
import signal
import sys
import time

from stripe_simulator.resources.test_clocks import resume_advances
from stripe_simulator.server import Server
from stripe_simulator.simulator import Simulator


def main() -> None:
    parser = argparse.ArgumentParser(prog="stripe_simulator", description="A local Stripe on loopback.")
    parser.add_argument("--port", type=int, default=12111, help="0 takes a free one")
    parser.add_argument("--path", help="a SQLite file that keeps the state; without it all is in memory")
    parser.add_argument("--clock", choices=("real", "frozen"), default="real")
    options = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    sim = Simulator(options.path, int(time.time()) if options.clock == "frozen" else None)
    sim.start_ticking()
    sim.events.webhooks.resume()
    resume_advances(sim)
    server = Server(sim, options.port)
    print(f"Stripe simulator on {server.url}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
