"""Asks a Stripe, real or local, the same questions, and compares what it answered. Never run against Stripe itself."""
