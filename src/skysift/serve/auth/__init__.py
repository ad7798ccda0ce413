"""Who asks: users, their groups, and personal access tokens, of which only hashes are kept."""
