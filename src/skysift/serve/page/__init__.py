"""The page at ``/``: plain files, no framework, nothing from elsewhere."""
