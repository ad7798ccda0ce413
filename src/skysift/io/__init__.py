"""The doors: the only code that knows a file format."""
