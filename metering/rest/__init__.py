"""The HTTP API but for its hot path: what every view of it shares, and its description at `/api/schema/`."""
