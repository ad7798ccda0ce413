"""Objects as a set: places ask a transformer what they are, each object is told once, and masks are drawn of it."""
