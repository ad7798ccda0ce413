"""The tables of jobs in the database; the scripts of the branch ``jobs`` make them."""

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

from skysift.archive.policy import access_columns

__all__ = ["ARTEFACTS", "EVENTS", "JOBS", "LEDGER", "METADATA", "TAGS"]

METADATA = MetaData()

JOBS = Table(
    "jobs",
    METADATA,
    Column("id", String(32), primary_key=True),
    *access_columns(),
    Column("app", String(64), nullable=False),
    Column("name", String(255), nullable=False, default=""),
    Column("spec", Text, nullable=False),  # JSON: options, resources, tags, inputs as they may be told
    Column("hidden", Text, nullable=False),  # JSON: paths of inputs, what else is for the worker alone
    Column("phase", String(12), nullable=False, index=True),
    Column("reason", Text, nullable=False, default=""),
    Column("error_kind", String(12), nullable=False, default=""),
    Column("created", Float(53), nullable=False),  # seconds since 1970, UTC, as all times
    Column("queued", Float(53)),
    Column("started", Float(53)),
    Column("ended", Float(53)),
    Column("destruction", Float(53), index=True),
    Column("executor", String(64), nullable=False),
    Column("cores", Integer, nullable=False, default=1),
    Column("handle", Text, nullable=False, default=""),  # what the executor knows the worker by; empty: none
    Column("attempt", Integer, nullable=False, default=0),
    Column("lost", Integer, nullable=False, default=0),  # attempts whose workers were lost
    Column("begun", Float(53)),  # this attempt
    Column("seconds", Float(53), nullable=False, default=0.0),  # earlier attempts, and all of them at the end
    Column("stage", String(64), nullable=False, default=""),
    Column("done", BigInteger, nullable=False, default=0),
    Column("total", BigInteger, nullable=False, default=0),
    Column("bytes", BigInteger, nullable=False, default=0),
    Column("told", BigInteger, nullable=False, default=0),  # bytes of the worker's events that were read
    Column("retry_of", String(32), nullable=False, default=""),
    Column("version", Integer, nullable=False, default=1),
    Index("ix_jobs_newest", "created", "id"),
)

TAGS = Table(
    "job_tags",
    METADATA,
    Column("job_id", String(32), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("tag", String(64), primary_key=True, index=True),
)

EVENTS = Table(
    "job_events",
    METADATA,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("job_id", String(32), ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("time", Float(53), nullable=False),
    Column("kind", String(12), nullable=False),
    Column("facts", Text, nullable=False),  # JSON
    Index("ix_job_events_of_job", "job_id", "id"),
    sqlite_autoincrement=True,
)

ARTEFACTS = Table(
    "job_artefacts",
    METADATA,
    Column("job_id", String(32), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("name", String(512), primary_key=True),
    Column("media_type", String(128), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("checksum", String(80), nullable=False),
)

LEDGER = Table(
    "job_ledger",
    METADATA,
    Column("job_id", String(32), primary_key=True),  # stays when the job is removed
    Column("owner", String(255), nullable=False, index=True),
    Column("app", String(64), nullable=False),
    Column("phase", String(12), nullable=False),
    Column("ended", Float(53), nullable=False),
    Column("seconds", Float(53), nullable=False),
    Column("bytes", BigInteger, nullable=False),
)
