"""Sources that are larger than the beam: scales, segments, what lies on top of them."""
