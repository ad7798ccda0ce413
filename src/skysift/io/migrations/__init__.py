"""How the tables of a database came to be: scripts of alembic, one branch a room; run by `skysift.io.sql.migrate`."""
