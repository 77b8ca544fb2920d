"""Subscriptions: items and their cycles, what is billed when, changes, pauses, ends."""
