"""The metrics as Prometheus scrapes them; loaded only where somebody asked for that."""

from __future__ import annotations

from threading import Lock

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from giftcard_gateway.telemetry.durations import Reader


class Scraped(Reader, PrometheusMetricReader):
    """Reads the metrics whenever it is asked to."""

    def __init__(self, listen: str) -> None:
        """Be asked at `listen`, a host:port, by whoever serves it."""
        self.listen = listen
        self._pages = CollectorRegistry()
        self._one_at_a_time = Lock()
        super().__init__(registry=self._pages, scope_info_enabled=False)

    def page(self, accept: str) -> tuple[bytes, str]:
        """Return the metrics in the form that an Accept header asks for, and its content type.

        Takes some milliseconds, so call it off the loop.
        """
        encode, content_type = choose_encoder(accept)
        with self._one_at_a_time:
            return encode(self._pages), content_type
