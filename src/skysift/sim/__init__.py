"""Made skies: truth first, then pixels, painted when they are read."""
