"""Work for somebody: jobs with a phase that are kept in a database and run by workers; knows nothing of HTTP."""
