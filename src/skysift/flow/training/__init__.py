"""Training: a recipe names skies and maps, a model and how it learns; out come weights with a page."""
