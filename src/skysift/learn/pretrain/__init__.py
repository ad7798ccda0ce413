"""Learning without labels: each method is one page, and all run on the one loop."""
