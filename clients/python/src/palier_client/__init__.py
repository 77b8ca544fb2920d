"""Sends usage events to Palier from a running program: never blocks it, never raises into it."""

from palier_client.asgi import AsgiMeter
from palier_client.client import Client, Stats
from palier_client.gauges import Gauge
from palier_client.problems import Problem
from palier_client.wsgi import WsgiMeter

__all__ = ["AsgiMeter", "Client", "Gauge", "Problem", "Stats", "WsgiMeter"]
