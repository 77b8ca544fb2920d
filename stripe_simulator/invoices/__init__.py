"""Invoices: drafts and their lines, how they add up, finalise, are paid and end."""
