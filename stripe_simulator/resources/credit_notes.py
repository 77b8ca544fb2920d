"""Credit notes: see `stripe_simulator.credit_notes`."""

from stripe_simulator.credit_notes import notes

__all__ = ["notes"]
