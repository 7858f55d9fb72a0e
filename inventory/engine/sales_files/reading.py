"""Reading a file of rows, and refusing one that is not what it says it is."""

from __future__ import annotations

import codecs
import csv
import gzip
import hashlib
import io
import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from inventory.engine.sales_files.errors import FileRefused

if TYPE_CHECKING:
    import pandas as pd

PIECE = 1 << 20
GZIP_MAGIC = b"\x1f\x8b"
PARQUET_MAGIC = b"PAR1"
FOREIGN_MAGICS = (
    GZIP_MAGIC,
    PARQUET_MAGIC,
    b"PK\x03\x04",
    b"%PDF",
    b"\xd0\xcf\x11\xe0",
    b"SQLite format 3",
)
DELIMITERS = ",;\t|"


@dataclass(frozen=True)
class ReadLimits:
    """Bounds that keep a hostile or mistaken file from filling memory."""

    max_inflated_bytes: int = 4 << 30
    max_rows: int = 50_000_000
    max_columns: int = 4000


@dataclass
class RawTable:
    """Rows as they stand in the file.

    ``frame`` has the file's columns (text for csv, typed for parquet) and one row per readable row;
    ``lines`` gives each row's number in the file, the heading being line 1. ``malformed`` holds the
    rows with too few or too many columns: (line, text).
    """

    frame: pd.DataFrame
    lines: Any
    malformed: list[tuple[int, str]] = field(default_factory=list)
    delimiter: str = ","

    @property
    def rows_read(self) -> int:
        return len(self.frame) + len(self.malformed)


def file_type(file_name: str) -> str:
    """ "csv", "csv.gz" or "parquet", by the extension."""
    name = file_name.lower()
    for extension in ("csv.gz", "csv", "parquet"):
        if name.endswith("." + extension):
            return extension
    raise FileRefused("unknown_type", name=Path(file_name).name)


def sha256_of(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_table(
    path: Path,
    *,
    file_name: str = "",
    limits: ReadLimits | None = None,
    encoding: str = "utf-8",
    columns: Sequence[str] | None = None,
) -> RawTable:
    """Read a csv, csv.gz or parquet file whole.

    Args:
        path: where the bytes are; ``file_name`` is the name its sender gave it (default: the path's).
        encoding: of csv text; anything that is not valid in it refuses the file.
        columns: of a parquet file, read only these where present.

    Raises:
        FileRefused: unknown, wrong or damaged type, wrong encoding, empty, over the limits.
    """
    limits = limits or ReadLimits()
    kind = file_type(file_name or path.name)
    with path.open("rb") as stream:
        head = stream.read(4096)
    if not head:
        raise FileRefused("empty_file")
    if kind == "parquet":
        return _read_parquet(path, head, limits, columns)
    if kind == "csv":
        if head.startswith(FOREIGN_MAGICS):
            raise FileRefused("wrong_type", expected=kind)
        with path.open("rb") as stream:
            return _read_csv(stream, limits, encoding)
    if not head.startswith(GZIP_MAGIC):
        raise FileRefused("wrong_type", expected=kind)
    with tempfile.SpooledTemporaryFile(max_size=256 << 20) as inflated:
        _inflate(path, inflated, limits)
        return _read_csv(inflated, limits, encoding)


def _inflate(path: Path, target: IO[bytes], limits: ReadLimits) -> None:
    size = 0
    try:
        with gzip.open(path) as stream:
            while piece := stream.read(PIECE):
                size += len(piece)
                if size > limits.max_inflated_bytes:
                    raise FileRefused("too_large", limit_mb=limits.max_inflated_bytes >> 20)
                target.write(piece)
    except EOFError as error:
        raise FileRefused("truncated_gzip") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise FileRefused("damaged_gzip") from error
    target.seek(0)
    if target.read(4).startswith(FOREIGN_MAGICS):
        raise FileRefused("wrong_type", expected="csv.gz")
    target.seek(0)


def _check_text(stream: IO[bytes], limits: ReadLimits, encoding: str) -> None:
    try:
        decoder = codecs.getincrementaldecoder(encoding)(errors="strict")
    except LookupError as error:
        raise FileRefused("unknown_encoding", encoding=encoding) from error
    size = line = 0
    while piece := stream.read(PIECE):
        size += len(piece)
        if size > limits.max_inflated_bytes:
            raise FileRefused("too_large", limit_mb=limits.max_inflated_bytes >> 20)
        if b"\x00" in piece and not encoding.lower().replace("_", "-").startswith("utf-16"):
            raise FileRefused("binary_content")
        try:
            decoder.decode(piece)
        except UnicodeDecodeError as error:
            at = line + piece.count(b"\n", 0, max(error.start, 0)) + 1
            raise FileRefused("wrong_encoding", encoding=encoding, line=at) from error
        line += piece.count(b"\n")
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise FileRefused("wrong_encoding", encoding=encoding, line=line + 1) from error
    stream.seek(0)


def _heading(stream: IO[bytes], encoding: str) -> tuple[list[str], str]:
    text = io.TextIOWrapper(
        stream, encoding="utf-8-sig" if encoding == "utf-8" else encoding, newline=""
    )
    try:
        first = text.readline()
    finally:
        text.detach()
        stream.seek(0)
    delimiter = max(DELIMITERS, key=first.count)
    names = [name.strip() for name in next(csv.reader([first], delimiter=delimiter), [])]
    return names, delimiter


def _check_heading(names: Sequence[str], limits: ReadLimits) -> None:
    if not any(names):
        raise FileRefused("no_heading")
    if len(names) > limits.max_columns:
        raise FileRefused("too_many_columns", limit=limits.max_columns)
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise FileRefused("duplicate_column", column=name)
        seen.add(name)


def _read_csv(stream: IO[bytes], limits: ReadLimits, encoding: str) -> RawTable:
    import numpy as np
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    _check_text(stream, limits, encoding)
    names, delimiter = _heading(stream, encoding)
    _check_heading(names, limits)
    malformed: list[tuple[int, str]] = []

    def skip(row: Any) -> str:
        malformed.append((int(row.number), str(row.text)))
        return "skip"

    try:
        table = arrow_csv.read_csv(
            stream,
            # one thread: only then the reader knows the number of a row it skips
            read_options=arrow_csv.ReadOptions(
                use_threads=False, column_names=names, skip_rows=1, encoding=encoding
            ),
            parse_options=arrow_csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=True, invalid_row_handler=skip
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types={name: pa.string() for name in names}, strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as error:
        if "Empty CSV" in str(error) or "CSV file is empty" in str(error):
            raise FileRefused("no_rows") from error
        raise FileRefused("damaged_csv", detail=str(error)[:200]) from error
    if table.num_rows > limits.max_rows:
        raise FileRefused("too_many_rows", limit=limits.max_rows)
    if table.num_rows + len(malformed) == 0:
        raise FileRefused("no_rows")
    lines = np.arange(2, table.num_rows + len(malformed) + 2, dtype=np.int64)
    if malformed:
        lines = np.setdiff1d(lines, np.array([line for line, _ in malformed]), assume_unique=True)
    return RawTable(table.to_pandas(), lines, malformed, delimiter)


def _read_parquet(
    path: Path, head: bytes, limits: ReadLimits, columns: Sequence[str] | None
) -> RawTable:
    import numpy as np
    import pyarrow as pa
    from pyarrow import parquet

    if not head.startswith(PARQUET_MAGIC):
        raise FileRefused("wrong_type", expected="parquet")
    try:
        with parquet.ParquetFile(path) as source:
            names = list(source.schema_arrow.names)
            _check_heading(names, limits)
            if source.metadata.num_rows > limits.max_rows:
                raise FileRefused("too_many_rows", limit=limits.max_rows)
            size = sum(
                source.metadata.row_group(group).total_byte_size
                for group in range(source.metadata.num_row_groups)
            )
            if size > limits.max_inflated_bytes:
                raise FileRefused("too_large", limit_mb=limits.max_inflated_bytes >> 20)
            wanted = names if columns is None else [name for name in names if name in columns]
            frame = source.read(columns=wanted).to_pandas()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise FileRefused("damaged_parquet", detail=str(error)[:200]) from error
    if not len(frame):
        raise FileRefused("no_rows")
    frame = frame.reset_index(drop=True)
    return RawTable(frame, np.arange(2, len(frame) + 2, dtype=np.int64))
