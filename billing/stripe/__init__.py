"""Palier's bills, charged through Stripe: what goes out, what comes back, and whether both say the same."""
