"""The table of the one folder that goes with the database."""

import sqlalchemy as sa
from alembic import op

revision = "service_0001"
down_revision = None
branch_labels = ("service",)
depends_on = None


def upgrade() -> None:
    """Make it."""
    op.create_table(
        "service",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("folder", sa.String(32), nullable=False),
        sa.Column("path", sa.Text, nullable=False),
    )
