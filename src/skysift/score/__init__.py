"""How good: every number that is claimed of a catalogue, against the truth a sky was made from."""
