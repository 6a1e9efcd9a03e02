"""Who tells all this, and by which version of OpenTelemetry's names."""

from opentelemetry.semconv.schemas import Schemas

SCOPE = "giftcard_gateway"
"""The instrumentation scope of all our spans, metrics and logs."""
SCHEMA_URL = Schemas.V1_44_0.value
"""The version of the conventions whose names we use."""
