"""Islands above a threshold, split at their peaks."""
