"""The other side: a service of skysift from a notebook or a script; nothing of the server is imported."""
