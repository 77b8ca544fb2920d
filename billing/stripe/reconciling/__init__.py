"""Whether Palier and Stripe say the same of usage, meters, invoices, payments and subscriptions; what to do if not."""
