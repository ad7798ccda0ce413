"""What alembic runs: the migrations of a branch, on the connection that `skysift.io.sql.migrate` hands in."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
