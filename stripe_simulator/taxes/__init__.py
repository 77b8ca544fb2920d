"""What of Stripe Tax there is here: tax ids and the account's settings. No tax is calculated."""
