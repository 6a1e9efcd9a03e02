"""The HTTP port: webhooks from providers."""
