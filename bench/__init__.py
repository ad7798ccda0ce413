"""Measurements of skysift: against other source finders on made skies (`bench.peers`), on real maps (`bench.real`)."""
