"""Two looks at the map: places where an object may be, then what each is and which pixels it has."""
