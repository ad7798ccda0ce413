"""The table of uploads."""

import sqlalchemy as sa
from alembic import op

revision = "uploads_0001"
down_revision = None
branch_labels = ("uploads",)
depends_on = None


def upgrade() -> None:
    """Make it."""
    op.create_table(
        "uploads",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("checksum", sa.String(80), nullable=False),
        sa.Column("media_type", sa.String(128), nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("owner", sa.String(255), nullable=False, index=True),
        sa.Column("visibility", sa.String(8), nullable=False),
        sa.Column("group_name", sa.String(255), nullable=False),
    )
