"""Made sources for real maps: what is put in, where, and how bright."""
