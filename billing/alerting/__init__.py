"""What billing has to tell: spend, budgets, credit and commitments, as metering's rules say."""
