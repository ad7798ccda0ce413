"""Where: every finder, behind one door."""
