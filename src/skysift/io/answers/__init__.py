"""Rows of declared columns on their way out: VOTable, CSV, TSV, FITS and JSON, written as the rows come."""
