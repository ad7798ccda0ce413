"""The tables of people: users, their groups, and their tokens."""

import sqlalchemy as sa
from alembic import op

revision = "auth_0001"
down_revision = None
branch_labels = ("auth",)
depends_on = None


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "auth_users",
        sa.Column("name", sa.String(255), primary_key=True),
        sa.Column("admin", sa.Boolean, nullable=False),
        sa.Column("created", sa.Float, nullable=False),
    )
    op.create_table(
        "auth_members",
        sa.Column(
            "user_name",
            sa.String(255),
            sa.ForeignKey("auth_users.name", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("group_name", sa.String(255), primary_key=True),
    )
    op.create_table(
        "auth_tokens",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column(
            "user_name",
            sa.String(255),
            sa.ForeignKey("auth_users.name", ondelete="CASCADE"),
            nullable=False,
            index=True,
        ),
        sa.Column("label", sa.String(255), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("expires", sa.Float, nullable=True),
        sa.Column("used", sa.Float, nullable=True),
    )
