"""Progressive invoices: usage is billed ahead once its worth passes a threshold."""
