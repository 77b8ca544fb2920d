"""How usage comes in over HTTP, the short way, without DRF. All that is asked for is answered by `metering.rest`."""
