"""What surrounds every call: limits, drain, a span, validation, and errors as statuses. Decides no money."""
