"""The fixtures of a service."""

from tests.serve.service import local, people, running, service  # noqa: F401
