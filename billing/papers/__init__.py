"""Documents on paper: an invoice, a credit note, a statement of usage, each as PDF and as a page, from the same words.

`invoices`, `credit_notes` and `statements` make a `Paper` of what is stored; `rendering` sets it; `answers` serves it.
"""
