"""Learned finders beside classical ones: challenge scores, classes of scenes, real maps, and what they cost."""
