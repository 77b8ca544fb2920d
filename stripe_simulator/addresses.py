"""Where a browser finds the simulator's pages."""

from stripe_simulator.simulator import Simulator


def make_address(sim: Simulator, path: str) -> str:
    """By the address under which the simulator was called last; work that nobody called for remembers it."""
    if sim.request is not None and sim.request.base_url:
        sim.memory["base_url"] = sim.request.base_url
    return f"{sim.memory.get('base_url', 'http://127.0.0.1:12111')}{path}"
