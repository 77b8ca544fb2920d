"""What others make of the same task. They are fetched from PyPI into `var/peers`, and only when asked for."""

import os

PEER = "BENCH_PEER"


def is_asked() -> bool:
    return PEER in os.environ
