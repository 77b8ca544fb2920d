"""Invoices, their lines and items, and customers' balances: see `stripe_simulator.invoices`."""

from stripe_simulator.invoices import balance, drafts, items, line_routes, moves, previews

__all__ = ["balance", "drafts", "items", "line_routes", "moves", "previews"]
