"""Usage that was counted, or taken back, after its invoice: what changed, and what is done about it."""
