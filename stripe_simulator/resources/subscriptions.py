"""Subscriptions and their items: see `stripe_simulator.subscriptions`."""

from stripe_simulator.subscriptions import creating, ending, item_routes, pausing, routes, schedules, thresholds

__all__ = ["creating", "ending", "item_routes", "pausing", "routes", "schedules", "thresholds"]
