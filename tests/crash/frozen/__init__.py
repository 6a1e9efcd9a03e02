"""Rounds against a provider process that stands still past our time-out, and then goes on (rule 8)."""
