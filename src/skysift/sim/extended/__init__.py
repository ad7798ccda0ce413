"""Skies of extended sources: discs, rings, arcs, ellipses, Sersic profiles, jets with lobes, and objects in parts."""
