"""What goes out of customers and subscriptions, and what comes back of them."""
