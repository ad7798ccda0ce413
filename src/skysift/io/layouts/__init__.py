"""Catalogues as other programs lay them out: read into the one schema, and written from it."""
