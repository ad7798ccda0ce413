"""`Uploads`: files that users sent, each in a folder of its own, whole or not at all."""

from __future__ import annotations

import hashlib
import re
import secrets
import shutil
import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import sqlalchemy as sa
from sqlalchemy import RowMapping
from sqlalchemy.engine import Engine

from skysift.archive.policy import Access, User, Visibility, access_columns, may_change, may_read, readable
from skysift.base.errors import AccessError, FormatError, OptionError, SizeError, StorageError, UnknownName
from skysift.io.output import FULL
from skysift.io.sql import migrate, told

__all__ = ["Receiving", "Upload", "Uploads", "plain_name"]

BRANCH = "uploads"
_PART = ".part"
_STALE = 86400.0  # seconds after which what was begun and not finished is removed
_UNSAFE = re.compile(r"[^A-Za-z0-9._+=@ \[\]()-]")
_ROOM = 64 * 2**20  # bytes that packed files may have when unpacked, whatever their size
_RATIO = 200  # times that they may grow beyond it
_ARCHIVES = {
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"\x28\xb5\x2f\xfd": "zstd",
}

UPLOADS = sa.Table(
    "uploads",
    sa.MetaData(),
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("name", sa.String(255)),
    sa.Column("size", sa.BigInteger),
    sa.Column("checksum", sa.String(80)),
    sa.Column("media_type", sa.String(128)),
    sa.Column("source", sa.Text),
    sa.Column("created", sa.Float),
    *access_columns(),
)


@dataclass(frozen=True)
class Upload:
    """A file that somebody sent.

    Parameters
    ----------
    id
        Short and safe in a URL.
    name
        What it is called; a plain name.
    path
        Where it is.
    size
        Bytes.
    checksum
        "sha256:" and the hexadecimal digest.
    media_type
        Of its content.
    source
        The URL that it was fetched from; empty where it was sent.
    created
        Seconds since 1970.
    access
        Whose it is, and who may see it.
    """

    id: str
    name: str
    path: Path
    size: int
    checksum: str
    media_type: str
    source: str
    created: float
    access: Access


class Uploads:
    """The uploads of a service.

    Parameters
    ----------
    engine
        The database; the table is made where it is missing.
    folder
        Where the files go.
    clock
        Seconds since 1970.
    """

    def __init__(self, engine: Engine, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self.engine = engine
        self.folder = folder
        self.clock = clock
        self._lock = threading.Lock()
        self._taken: dict[
            str, tuple[int, int]
        ] = {}  # user -> uploads on their way, bytes of these and all kept
        migrate(engine, BRANCH)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._tidy()

    def begin(self, user: User, name: str, *, source: str = "", limit: int, quota: int) -> Receiving:
        """An upload that begins.

        Parameters
        ----------
        user
            Whose it will be.
        name
            What it is called.
        source
            The URL that it comes from.
        limit
            The bytes that it may have.
        quota
            The bytes that this user may keep in all.

        Raises
        ------
        OptionError
            The name is none.
        SizeError
            The user keeps all that they may already.
        """
        called = plain_name(name)
        with self._lock:
            _, taken = self._taken.get(user.name) or (0, self.bytes_of(user))
            if taken >= quota:
                raise SizeError(
                    "all uploads of a user are full", allowed=f"{quota} bytes", todo="remove some"
                )
        return Receiving(self, user, called, source, min(limit, quota - taken), quota)

    def enter(self, user: User) -> None:
        """Count one more upload of a user on its way."""
        with self._lock:
            count, taken = self._taken.get(user.name) or (0, self.bytes_of(user))
            self._taken[user.name] = (count + 1, taken)

    def take(self, user: User, size: int, quota: int) -> None:
        """Count bytes that come, with those of all other uploads of this user that are kept or on their way.

        Raises
        ------
        SizeError
            They are more than a user may keep; they are not counted then.
        """
        with self._lock:
            count, taken = self._taken[user.name]
            if taken + size > quota:
                raise SizeError(
                    "the upload is too large for what the user may keep in all",
                    allowed=f"{quota} bytes",
                    todo="remove some uploads, or wait for the end of others",
                )
            self._taken[user.name] = (count, taken + size)

    def leave(self, user: User, freed: int) -> None:
        """An upload of a user has ended, and keeps so many bytes less than it took."""
        with self._lock:
            count, taken = self._taken.pop(user.name)
            if count > 1:
                self._taken[user.name] = (count - 1, taken - freed)

    def upload(self, id: str, user: User, *, change: bool = False) -> Upload:
        """An upload that a user may see.

        Raises
        ------
        UnknownName
            There is none, or they may not see it.
        AccessError
            They may see it and not change it.
        """
        with told(), self.engine.connect() as connection:
            row = connection.execute(sa.select(UPLOADS).where(UPLOADS.c.id == id)).mappings().first()
        if row is None:
            raise UnknownName("no such upload", got=id)
        found = self._upload(row)
        if not may_read(user, found.access):
            raise UnknownName("no such upload", got=id)
        if change and not may_change(user, found.access):
            raise AccessError("only its owner may change an upload", got=id)
        return found

    def list(self, user: User, *, page: str = "", size: int = 50) -> tuple[list[Upload], str]:
        """The uploads that a user may see, the newest first, and where the next ones begin.

        Raises
        ------
        OptionError
            There is no such page.
        """
        wanted = [readable(user, UPLOADS)]
        if page:
            created, _, last = page.partition("_")
            try:
                before = float(created)
            except ValueError:
                raise OptionError("no such page", got=page, allowed="what the page before it names") from None
            wanted.append(
                sa.or_(UPLOADS.c.created < before, sa.and_(UPLOADS.c.created == before, UPLOADS.c.id < last))
            )
        query = sa.select(UPLOADS).where(*wanted).order_by(UPLOADS.c.created.desc(), UPLOADS.c.id.desc())
        with told(), self.engine.connect() as connection:
            rows = list(connection.execute(query.limit(size + 1)).mappings())
        more = f"{rows[size - 1]['created']!r}_{rows[size - 1]['id']}" if len(rows) > size else ""
        return [self._upload(row) for row in rows[:size]], more

    def share(self, id: str, user: User, access: Access) -> Upload:
        """An upload, seen by others from now on."""
        self.upload(id, user, change=True)
        with told(), self.engine.begin() as connection:
            connection.execute(
                sa.update(UPLOADS)
                .where(UPLOADS.c.id == id)
                .values(visibility=access.visibility, group_name=access.group)
            )
        return self.upload(id, user)

    def remove(self, id: str, user: User) -> None:
        """Forget an upload, and remove its file."""
        found = self.upload(id, user, change=True)
        with told(), self.engine.begin() as connection:
            connection.execute(sa.delete(UPLOADS).where(UPLOADS.c.id == id))
        with self._lock:
            if held := self._taken.get(found.access.owner):
                self._taken[found.access.owner] = (held[0], held[1] - found.size)
        shutil.rmtree(found.path.parent, ignore_errors=True)

    def bytes_of(self, user: User | None) -> int:
        """Bytes that a user, or all, keep."""
        counted = sa.select(sa.func.coalesce(sa.func.sum(UPLOADS.c.size), 0))
        if user is not None:
            counted = counted.where(UPLOADS.c.owner == user.name)
        with told(), self.engine.connect() as connection:
            return int(connection.execute(counted).scalar_one())

    def _upload(self, row: RowMapping) -> Upload:
        return Upload(
            id=row["id"],
            name=row["name"],
            path=self.folder / row["id"] / row["name"],
            size=int(row["size"]),
            checksum=row["checksum"],
            media_type=row["media_type"],
            source=row["source"],
            created=row["created"],
            access=Access(row["owner"], cast(Visibility, row["visibility"]), row["group_name"]),
        )

    def _tidy(self) -> None:
        """Remove what was begun and never finished."""
        for part in self.folder.glob(f"*/{_PART}"):
            if self.clock() - part.stat().st_mtime > _STALE:
                shutil.rmtree(part.parent, ignore_errors=True)


class Receiving:
    """An upload on its way: `write` its blocks, then `finish` or `abandon` it."""

    def __init__(self, uploads: Uploads, user: User, name: str, source: str, limit: int, quota: int) -> None:
        self._uploads = uploads
        self.user = user
        self.name = name
        self.source = source
        self.limit = limit
        self.quota = quota
        self._taken = 0
        self.id = secrets.token_hex(8)
        self.size = 0
        self._digest = hashlib.sha256()
        self._folder = uploads.folder / self.id
        try:
            self._folder.mkdir(mode=0o700)
            self._file: BinaryIO = self.part.open("xb")
        except OSError as error:
            raise _storage(error) from error
        uploads.enter(user)
        self._open = True

    @property
    def part(self) -> Path:
        """The file that is written."""
        return self._folder / _PART

    def write(self, block: bytes) -> None:
        """Take the next block.

        Raises
        ------
        SizeError
            There are more bytes than may be.
        StorageError
            The disk is full.
        """
        self.size += len(block)
        if self.size > self.limit:
            raise SizeError("the upload is too large", allowed=f"{self.limit} bytes")
        self._uploads.take(self.user, len(block), self.quota)
        self._taken += len(block)
        self._digest.update(block)
        try:
            self._file.write(block)
        except OSError as error:
            raise _storage(error) from error

    def finish(self, media_type: str, access: Access) -> Upload:
        """The upload, whole.

        Raises
        ------
        FormatError
            It is empty, an archive, or a packed file that grows beyond all bounds.
        StorageError
            The disk is full.
        """
        uploads = self._uploads
        try:
            self._file.close()
            _check(self.part, self.size)
            self.part.rename(self._folder / self.name)
        except OSError as error:
            raise _storage(error) from error
        row = {
            "id": self.id,
            "name": self.name,
            "size": self.size,
            "checksum": f"sha256:{self._digest.hexdigest()}",
            "media_type": media_type[:128],
            "source": self.source,
            "created": uploads.clock(),
            "owner": access.owner,
            "visibility": access.visibility,
            "group_name": access.group,
        }
        with told(), uploads.engine.begin() as connection:
            connection.execute(sa.insert(UPLOADS).values(row))
        self._leave(0)
        return uploads.upload(self.id, self.user)

    def abandon(self) -> None:
        """Leave nothing behind."""
        self._file.close()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._leave(self._taken)

    def _leave(self, freed: int) -> None:
        if self._open:
            self._open = False
            self._uploads.leave(self.user, freed)


def plain_name(name: str) -> str:
    """The name of a file without any folder, of plain letters alone.

    Raises
    ------
    OptionError
        Nothing is left of it.
    """
    last = name.replace("\\", "/").rpartition("/")[2]
    plain = _UNSAFE.sub("_", last).strip().lstrip(".")[-200:].strip()
    if not plain.strip("._ "):
        raise OptionError("not the name of a file", got=name[:100], allowed="such as map.fits")
    return plain


def _check(path: Path, size: int) -> None:
    """Refuse what holds nothing, other files, or more than can be.

    Raises
    ------
    FormatError
        It is such a file.
    """
    if not size:
        raise FormatError("the upload is empty")
    with path.open("rb") as file:
        head = file.read(512)
    kind = next((name for start, name in _ARCHIVES.items() if head.startswith(start)), None)
    if head[257:262] == b"ustar":
        kind = "tar"
    if kind is not None:
        raise FormatError(
            "archives are not taken", got=kind, todo="send the files that are in it, one by one"
        )
    if head.startswith(b"\x1f\x8b"):
        _check_packed(path, _ROOM + _RATIO * size)


def _check_packed(path: Path, most: int) -> None:
    """Refuse a gzip file whose content is larger than `most` bytes, or another archive."""
    with path.open("rb") as file:
        unpack, total, first = zlib.decompressobj(wbits=31), 0, b""
        try:
            while block := file.read(1 << 18):
                while block:
                    piece = unpack.decompress(block, 1 << 20)
                    total += len(piece)
                    first = (first + piece)[:512]
                    if total > most:
                        raise FormatError(
                            "the file grows too much when it is unpacked", allowed=f"{most} bytes"
                        )
                    if unpack.eof:  # another member may follow
                        block, unpack = unpack.unused_data, zlib.decompressobj(wbits=31)
                        if not block.strip(b"\0"):
                            break
                    else:
                        block = unpack.unconsumed_tail
        except zlib.error as error:
            raise FormatError("the gzip file is broken", got=str(error)) from error
    if first[257:262] == b"ustar":
        raise FormatError(
            "archives are not taken", got="tar.gz", todo="send the files that are in it, one by one"
        )


def _storage(error: OSError) -> StorageError:
    told_of = "the disk is full" if error.errno in FULL else f"the upload cannot be written: {error.strerror}"
    return StorageError(told_of, todo="try again later")
