"""Billing runs: what is due is billed together, in parts that are jobs; seen and approved before where that is asked.

previewing → awaiting approval → issuing → done; cancelled from any of the first three. An entry is a period of the run:
to be billed → billed, failed (tried again by itself, and whenever somebody says so) or left out.
"""
