"""What a run makes of what was found: the folder of products, the pictures and the page."""
