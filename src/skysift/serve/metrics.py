"""The numbers of the service for Prometheus: requests, how long they took, jobs by phase."""

from __future__ import annotations

from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

__all__ = ["Metrics", "metrics_text"]

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)


class Metrics:
    """Counters of one service."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "skysift_requests",
            "Requests by method, route and status.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "skysift_request_seconds",
            "Seconds until a request was answered.",
            ["route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.open = Gauge("skysift_requests_open", "Requests being answered.", registry=self.registry)
        self.jobs = Gauge("skysift_jobs", "Jobs by phase.", ["phase"], registry=self.registry)
        self.received = Counter("skysift_received_bytes", "Bytes of bodies taken.", registry=self.registry)
        self.sent = Counter("skysift_sent_bytes", "Bytes of answers sent.", registry=self.registry)


def metrics_text(state: Any) -> bytes:
    """The numbers of now, as Prometheus reads them."""
    metrics: Metrics = state.metrics
    metrics.jobs.clear()
    for phase, number in state.manager.counts().items():
        metrics.jobs.labels(phase).set(number)
    return generate_latest(metrics.registry)
