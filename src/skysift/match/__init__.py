"""Who is who: pieces that tiles cut are joined, components become sources."""
