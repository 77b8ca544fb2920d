"""Credit notes: what takes an issued invoice back, in part or whole."""
