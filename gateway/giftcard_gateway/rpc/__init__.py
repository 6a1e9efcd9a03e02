"""The gRPC server and what surrounds every call: admission, a span, validation, errors as statuses."""
