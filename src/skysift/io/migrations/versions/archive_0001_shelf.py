"""The first tables of the shelf: entries, ObsCore, tables and columns that can be queried, surveys."""

import sqlalchemy as sa
from alembic import op

revision = "archive_0001"
down_revision = None
branch_labels = ("archive",)
depends_on = None

_ID = sa.String(24)


def _text(name: str, length: int) -> "sa.Column[str]":
    return sa.Column(name, sa.String(length), nullable=False)


def _access() -> "list[sa.Column[str]]":
    return [
        sa.Column("owner", sa.String(255), nullable=False, index=True),
        sa.Column("visibility", sa.String(8), nullable=False),
        sa.Column("group_name", sa.String(255), nullable=False),
    ]


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "shelf_entry",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("did", sa.String(500), nullable=False, unique=True),
        sa.Column("collection", sa.String(128), nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("role", sa.String(24), nullable=False),
        sa.Column("parent", _ID, sa.ForeignKey("shelf_entry.id"), nullable=True, index=True),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("hdu", sa.Integer, nullable=False),
        sa.Column("checksum", sa.String(80), nullable=False, index=True),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("media_type", sa.String(128), nullable=False),
        sa.Column("created", sa.String(32), nullable=False),
        _text("survey", 128),
        _text("species", 64),
        _text("transition", 64),
        sa.Column("footprint", sa.Text, nullable=False),
        sa.Column("provenance", sa.Text, nullable=False),
        *_access(),
        sa.Index("shelf_entry_collection", "collection", "kind"),
    )
    op.create_table(
        "shelf_obscore",
        sa.Column("entry", _ID, sa.ForeignKey("shelf_entry.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("dataproduct_type", sa.String(32)),
        sa.Column("dataproduct_subtype", sa.String(64)),
        sa.Column("calib_level", sa.BigInteger, nullable=False),
        sa.Column("obs_collection", sa.String(128), nullable=False),
        sa.Column("obs_id", sa.String(255), nullable=False),
        sa.Column("obs_title", sa.String(255)),
        sa.Column("obs_publisher_did", sa.String(500), nullable=False),
        sa.Column("obs_creator_did", sa.String(500)),
        sa.Column("access_url", sa.Text),
        sa.Column("access_format", sa.String(128)),
        sa.Column("access_estsize", sa.BigInteger),
        sa.Column("target_name", sa.String(255)),
        sa.Column("target_class", sa.String(64)),
        sa.Column("s_ra", sa.Double),
        sa.Column("s_dec", sa.Double),
        sa.Column("s_fov", sa.Double),
        sa.Column("s_region", sa.Text),
        sa.Column("s_resolution", sa.Double),
        sa.Column("s_xel1", sa.BigInteger),
        sa.Column("s_xel2", sa.BigInteger),
        sa.Column("s_pixel_scale", sa.Double),
        sa.Column("s_ucd", sa.String(64)),
        sa.Column("s_unit", sa.String(64)),
        sa.Column("t_xel", sa.BigInteger),
        sa.Column("t_min", sa.Double),
        sa.Column("t_max", sa.Double),
        sa.Column("t_exptime", sa.Double),
        sa.Column("t_resolution", sa.Double),
        sa.Column("em_xel", sa.BigInteger),
        sa.Column("em_min", sa.Double),
        sa.Column("em_max", sa.Double),
        sa.Column("em_res_power", sa.Double),
        sa.Column("em_ucd", sa.String(64)),
        sa.Column("o_ucd", sa.String(128)),
        sa.Column("o_unit", sa.String(64)),
        sa.Column("pol_xel", sa.BigInteger),
        sa.Column("pol_states", sa.String(64)),
        sa.Column("facility_name", sa.String(128)),
        sa.Column("instrument_name", sa.String(128)),
        sa.Column("hpx", sa.BigInteger, index=True),
        sa.Column("ux", sa.Double),
        sa.Column("uy", sa.Double),
        sa.Column("uz", sa.Double),
    )
    op.create_table(
        "shelf_schema",
        sa.Column("name", sa.String(128), primary_key=True),
        sa.Column("description", sa.Text, nullable=False),
        _text("utype", 255),
    )
    op.create_table(
        "shelf_table",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("entry", _ID, sa.ForeignKey("shelf_entry.id"), nullable=True, index=True),
        sa.Column("schema_name", sa.String(128), sa.ForeignKey("shelf_schema.name"), nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("full_name", sa.String(260), nullable=False, unique=True),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        _text("utype", 255),
        _text("physical", 64),
        _text("position_ra", 64),
        _text("position_dec", 64),
        _text("position_system", 16),
        sa.Column("row_count", sa.BigInteger, nullable=True),
        sa.UniqueConstraint("schema_name", "name", name="shelf_table_name"),
    )
    op.create_table(
        "shelf_column",
        sa.Column(
            "table_id", sa.Integer, sa.ForeignKey("shelf_table.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("column_index", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("full_name", sa.String(260), nullable=False),
        _text("physical", 64),
        sa.Column("datatype", sa.String(16), nullable=False),
        _text("arraysize", 32),
        _text("xtype", 64),
        _text("unit", 64),
        _text("ucd", 128),
        _text("utype", 255),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("indexed", sa.Integer, nullable=False),
        sa.Column("principal", sa.Integer, nullable=False),
        sa.Column("std", sa.Integer, nullable=False),
    )
    op.create_table(
        "shelf_key",
        sa.Column("key_id", sa.String(64), primary_key=True),
        sa.Column("from_id", sa.Integer, sa.ForeignKey("shelf_table.id", ondelete="CASCADE"), nullable=False),
        sa.Column(
            "target_id", sa.Integer, sa.ForeignKey("shelf_table.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("description", sa.Text, nullable=False),
        _text("utype", 255),
    )
    op.create_table(
        "shelf_key_column",
        sa.Column(
            "key_id", sa.String(64), sa.ForeignKey("shelf_key.key_id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("from_column", sa.String(255), primary_key=True),
        sa.Column("target_column", sa.String(255), nullable=False),
    )
    op.create_table(
        "shelf_survey",
        sa.Column("name", sa.String(128), primary_key=True),
        sa.Column("species", sa.String(64), primary_key=True),
        sa.Column("transition", sa.String(64), primary_key=True),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("system", sa.String(16), nullable=False),
        sa.Column("em_min", sa.Double),
        sa.Column("em_max", sa.Double),
        sa.Column("footprint", sa.Text, nullable=False),
        *_access(),
    )


def downgrade() -> None:
    """Remove them."""
    for name in (
        "shelf_survey",
        "shelf_key_column",
        "shelf_key",
        "shelf_column",
        "shelf_table",
        "shelf_schema",
        "shelf_obscore",
        "shelf_entry",
    ):
        op.drop_table(name)
