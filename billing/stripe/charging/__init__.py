"""Issued invoices, asked for by Stripe: what goes onto its invoices, how far each is, and what became of it."""
