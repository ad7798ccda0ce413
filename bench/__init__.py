"""Measurements of skysift.

Against other source finders on made skies: `bench.peers`; on real maps: `bench.real`.
"""
