"""Learned finders: networks that say where sources are and what they look like."""
