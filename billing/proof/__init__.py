"""What an issued invoice can be recomputed from: by us from raw events, and by a customer offline."""
