"""The protocols of the Virtual Observatory: TAP, SIA, SCS, SODA, DataLink, VOSI, UWS, HiPS, and those of the VLKB."""
