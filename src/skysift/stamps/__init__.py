"""Pieces of maps: cut-outs, tiles merged to one, and aligned small images about many positions."""
