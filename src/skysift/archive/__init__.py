"""What we hold: the searchable shelf of images, cubes and catalogues, and who may see what of it."""
