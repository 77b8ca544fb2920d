"""Programs that have the client in them: `python host.py NAME URL KEY SPOOL [more]`. They print what they tracked."""

import os
import sys
import time

from palier_client import Client


def work(url: str, key: str, spool: str, life: str) -> None:
    """Track for ever, and say so of each event when track() is back: only a kill ends this."""
    client = Client(url, key, source="host", spool=spool or None, flush_interval=0.05, batch_size=100, longest_wait=0.1)
    number = 0
    while True:
        number += 1
        client.track("request", "acme", id=f"{life}-{number}")
        print(f"{life}-{number}", flush=True)
        time.sleep(0.0002)


def recover(url: str, key: str, spool: str) -> None:
    """Send what others left."""
    client = Client(url, key, source="host", spool=spool, longest_wait=0.1)
    print(client.flush(20), client.stats().waiting, flush=True)


def leave(url: str, key: str, spool: str) -> None:
    """End without a word to the client."""
    client = Client(url, key, source="host", spool=spool or None, flush_interval=60)
    for number in range(3):
        client.track("request", "acme", id=f"left-{number}")


def fork(url: str, key: str, spool: str) -> None:
    """Track before a fork, and after it on both sides."""
    client = Client(url, key, source="host", spool=spool or None, flush_interval=60)
    client.track("request", "acme", id="before")
    child = os.fork()
    client.track("request", "acme", id="in the parent" if child else "in the child")
    client.track("request", "acme")  # an id of its own on either side
    if child:
        os.waitpid(child, 0)
    client.close()
    if child:
        print(client.stats().delivered, flush=True)


if __name__ == "__main__":
    program, *arguments = sys.argv[1:]
    {"work": work, "recover": recover, "leave": leave, "fork": fork}[program](*arguments)
