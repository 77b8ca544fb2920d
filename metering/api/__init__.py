"""The HTTP API below `/api/v1/`: one module for each thing that is asked for, and those that they share."""
