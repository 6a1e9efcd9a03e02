"""The HTTP port: what comes in from providers."""
