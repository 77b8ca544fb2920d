"""Tax ids: see `stripe_simulator.taxes`."""

from stripe_simulator.taxes import tax_ids

__all__ = ["tax_ids"]
