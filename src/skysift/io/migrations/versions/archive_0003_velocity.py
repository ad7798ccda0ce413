"""The velocities that a cube covers, beside its wavelengths."""

import sqlalchemy as sa
from alembic import op

revision = "archive_0003"
down_revision = "archive_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add them."""
    with op.batch_alter_table("shelf_obscore") as batch:
        batch.add_column(sa.Column("v_min", sa.Double))
        batch.add_column(sa.Column("v_max", sa.Double))


def downgrade() -> None:
    """Remove them."""
    with op.batch_alter_table("shelf_obscore") as batch:
        batch.drop_column("v_min")
        batch.drop_column("v_max")
