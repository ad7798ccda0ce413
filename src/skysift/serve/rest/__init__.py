"""The interface of programs, below ``/api/v1``."""

API = "/api/v1"
