"""The gift card gateway: promises kept.

It writes an intent down, sends it, writes the outcome down, and finishes whatever was left open.
"""
