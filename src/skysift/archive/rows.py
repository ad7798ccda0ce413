"""The tables of the shelf in the database; the migrations of the branch ``archive`` make them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from skysift.archive.policy import access_columns

__all__ = [
    "BRANCH",
    "METADATA",
    "entries",
    "held_columns",
    "held_keys",
    "held_schemas",
    "held_tables",
    "key_columns",
    "obscore",
    "surveys",
]

BRANCH = "archive"
METADATA = MetaData()
_ID = String(24)


def _text(name: str, length: int) -> Column[str]:
    return Column(name, String(length), nullable=False, default="")


entries = Table(
    "shelf_entry",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("did", String(500), nullable=False, unique=True),
    Column("collection", String(128), nullable=False),
    Column("kind", String(12), nullable=False),
    Column("name", String(255), nullable=False),
    Column("role", String(24), nullable=False),
    Column("parent", _ID, ForeignKey("shelf_entry.id"), nullable=True, index=True),
    Column("path", Text, nullable=False),
    Column("hdu", Integer, nullable=False),
    Column("checksum", String(80), nullable=False, index=True),
    Column("size", BigInteger, nullable=False),
    Column("media_type", String(128), nullable=False),
    Column("created", String(32), nullable=False),
    _text("survey", 128),
    _text("species", 64),
    _text("transition", 64),
    Column("footprint", Text, nullable=False, default=""),
    Column("provenance", Text, nullable=False, default=""),
    *access_columns(),
    Index("shelf_entry_collection", "collection", "kind"),
)

obscore = Table(
    "shelf_obscore",
    METADATA,
    Column("entry", _ID, ForeignKey("shelf_entry.id", ondelete="CASCADE"), primary_key=True),
    Column("dataproduct_type", String(32)),
    Column("dataproduct_subtype", String(64)),
    Column("calib_level", BigInteger, nullable=False),
    Column("obs_collection", String(128), nullable=False),
    Column("obs_id", String(255), nullable=False),
    Column("obs_title", String(255)),
    Column("obs_publisher_did", String(500), nullable=False),
    Column("obs_creator_did", String(500)),
    Column("access_url", Text),
    Column("access_format", String(128)),
    Column("access_estsize", BigInteger),
    Column("target_name", String(255)),
    Column("target_class", String(64)),
    Column("s_ra", Double),
    Column("s_dec", Double),
    Column("s_fov", Double),
    Column("s_region", Text),
    Column("s_resolution", Double),
    Column("s_xel1", BigInteger),
    Column("s_xel2", BigInteger),
    Column("s_pixel_scale", Double),
    Column("s_ucd", String(64)),
    Column("s_unit", String(64)),
    Column("t_xel", BigInteger),
    Column("t_min", Double),
    Column("t_max", Double),
    Column("t_exptime", Double),
    Column("t_resolution", Double),
    Column("em_xel", BigInteger),
    Column("em_min", Double),
    Column("em_max", Double),
    Column("em_res_power", Double),
    Column("em_ucd", String(64)),
    Column("o_ucd", String(128)),
    Column("o_unit", String(64)),
    Column("pol_xel", BigInteger),
    Column("pol_states", String(64)),
    Column("facility_name", String(128)),
    Column("instrument_name", String(128)),
    Column("hpx", BigInteger, index=True),
    Column("ux", Double),
    Column("uy", Double),
    Column("uz", Double),
    Column("v_min", Double),  # km/s, radio convention
    Column("v_max", Double),
)

held_schemas = Table(
    "shelf_schema",
    METADATA,
    Column("name", String(128), primary_key=True),
    Column("description", Text, nullable=False, default=""),
    _text("utype", 255),
)

held_tables = Table(
    "shelf_table",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("entry", _ID, ForeignKey("shelf_entry.id"), nullable=True, index=True),
    Column("schema_name", String(128), ForeignKey("shelf_schema.name"), nullable=False),
    Column("name", String(128), nullable=False),
    Column("full_name", String(260), nullable=False, unique=True),
    Column("kind", String(8), nullable=False),
    Column("description", Text, nullable=False, default=""),
    _text("utype", 255),
    _text("physical", 64),
    _text("position_ra", 64),
    _text("position_dec", 64),
    _text("position_system", 16),
    Column("row_count", BigInteger, nullable=True),
    UniqueConstraint("schema_name", "name", name="shelf_table_name"),
)

held_columns = Table(
    "shelf_column",
    METADATA,
    Column("table_id", Integer, ForeignKey("shelf_table.id", ondelete="CASCADE"), primary_key=True),
    Column("column_index", Integer, primary_key=True),
    Column("name", String(255), nullable=False),
    Column("full_name", String(260), nullable=False),
    _text("physical", 64),
    Column("datatype", String(16), nullable=False),
    _text("arraysize", 32),
    _text("xtype", 64),
    _text("unit", 64),
    _text("ucd", 128),
    _text("utype", 255),
    Column("description", Text, nullable=False, default=""),
    Column("indexed", Integer, nullable=False),
    Column("principal", Integer, nullable=False),
    Column("std", Integer, nullable=False),
)

held_keys = Table(
    "shelf_key",
    METADATA,
    Column("key_id", String(64), primary_key=True),
    Column("from_id", Integer, ForeignKey("shelf_table.id", ondelete="CASCADE"), nullable=False),
    Column("target_id", Integer, ForeignKey("shelf_table.id", ondelete="CASCADE"), nullable=False),
    Column("description", Text, nullable=False, default=""),
    _text("utype", 255),
)

key_columns = Table(
    "shelf_key_column",
    METADATA,
    Column("key_id", String(64), ForeignKey("shelf_key.key_id", ondelete="CASCADE"), primary_key=True),
    Column("from_column", String(255), primary_key=True),
    Column("target_column", String(255), nullable=False),
)

surveys = Table(
    "shelf_survey",
    METADATA,
    Column("name", String(128), primary_key=True),
    Column("species", String(64), primary_key=True),
    Column("transition", String(64), primary_key=True),
    Column("description", Text, nullable=False, default=""),
    Column("system", String(16), nullable=False, default="ICRS"),
    Column("em_min", Double),
    Column("em_max", Double),
    Column("footprint", Text, nullable=False, default=""),
    *access_columns(),
)
