"""Simulators of the providers, for sandboxes and tests.

`sandbox` defines what a simulator is, `bank` keeps the money, `faults` is the script of what goes
wrong, `stage` plays it, `serve` puts a simulator on a real port and `transport` inside a process.
One module per dialect, written from the provider's manual and never from our adapter: two readings
of one manual check each other.
"""
