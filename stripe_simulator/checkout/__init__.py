"""Checkout: what a session holds, and what paying or saving a card in it does."""
