"""What is like what: maps, groups, look-alikes and the strange ones of a table of features; all of it by a seed."""
