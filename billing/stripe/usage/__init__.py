"""Usage of periods that Stripe's meters charge, on its way there."""
