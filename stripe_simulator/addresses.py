"""Where a browser finds the simulator's pages."""

from stripe_simulator.errors import refuse
from stripe_simulator.simulator import Simulator


def make_address(sim: Simulator, path: str) -> str:
    """By the address under which the simulator was called last."""
    return f"{sim.memory.get('base_url', 'http://127.0.0.1:12111')}{path}"


def check_url(url: str | None, param: str) -> None:
    """Browsers are sent to pages only, never into `javascript:`."""
    if url and not url.startswith(("https://", "http://")):
        raise refuse("Not a valid URL", param=param, code="url_invalid")
