"""The parent's side: start the child, read its lines, end it when it is silent or dies."""

import os
import select
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from inventory.engine.tables.errors import TableFileRefused
from inventory.engine.tables.limits import Limits

ROOT = Path(__file__).resolve().parents[3]
KINDS = {".csv": "csv", ".txt": "csv", ".xlsx": "xlsx"}
PIECE = 1 << 18


@dataclass(frozen=True)
class ReadRow:
    """One row: its number in the file (the heading is row 1), its cells, and faults by column index."""

    number: int
    cells: list[str]
    faults: dict[int, str] = field(default_factory=dict)


class ReadTable:
    """The heading of a file, and an iterator of its rows. Use it in a ``with``: the end stops the child."""

    def __init__(self, child: "_Child", head: list[str], encoding: str, delimiter: str) -> None:
        self.head = head
        self.encoding = encoding
        self.delimiter = delimiter
        self._child = child

    def __enter__(self) -> "ReadTable":
        return self

    def __exit__(self, *error: object) -> None:
        self._child.stop()

    def rows(self) -> Iterator[ReadRow]:
        """Yield the rows.

        Raises:
            TableFileRefused: a bound was reached or the rest is damaged; rows that came before are void.
        """
        for message in self._child.messages:
            if isinstance(message, list):
                number, cells, faults = message
                yield ReadRow(number, cells, {int(key): code for key, code in faults.items()})
            elif "end" in message:
                return
            else:
                raise _refusal(message)
        raise self._child.death()


def kind_of(file_name: str) -> str:
    """ "csv" or "xlsx", by the extension.

    Raises:
        TableFileRefused: another extension.
    """
    try:
        return KINDS[Path(file_name.lower()).suffix]
    except KeyError:
        raise TableFileRefused("unknown_type", name=Path(file_name).name) from None


def read_table(
    path: Path, *, file_name: str = "", encoding: str = "auto", limits: Limits | None = None
) -> ReadTable:
    """Start reading a CSV or XLSX file in a process of its own and return its heading.

    Args:
        path: where the bytes are; ``file_name`` is the name that its sender gave it.
        encoding: of CSV text, see `inventory.engine.tables.csv_reading.ENCODINGS`.

    Raises:
        TableFileRefused: unknown kind, too large, damaged, or over a bound.
    """
    limits = limits or Limits()
    kind = kind_of(file_name or path.name)
    child = _Child(path, kind, encoding, limits)
    try:
        for message in child.messages:
            if isinstance(message, dict) and "head" in message:
                return ReadTable(
                    child,
                    message["head"],
                    message.get("encoding", ""),
                    message.get("delimiter", ""),
                )
            raise _refusal(message)
        raise child.death()
    except BaseException:
        child.stop()
        raise


def _refusal(message: dict[str, Any]) -> TableFileRefused:
    return TableFileRefused(message["refused"], **message["details"])


class _Child:
    def __init__(self, path: Path, kind: str, encoding: str, limits: Limits) -> None:
        self.limits = limits
        # no variable of ours goes along: neither the database's address nor any key
        environment = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C.UTF-8"}
        self.process = subprocess.Popen(
            [
                sys.executable, "-s", "-m", "inventory.engine.tables.child",
                str(path.resolve()), kind, encoding, limits.as_json(),
            ],
            cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip

        self.messages = (
            self._messages()
        )  # one stream: who reads on goes on where the last one stopped

    def _messages(self) -> Iterator[Any]:
        assert self.process.stdout is not None
        output = self.process.stdout.fileno()
        rest = b""
        while piece := self._next_piece(output):
            lines = (rest + piece).split(b"\n")
            rest = lines.pop()
            for line in lines:
                yield orjson.loads(line)

    def _next_piece(self, output: int) -> bytes:
        ready, _write, _error = select.select([output], [], [], self.limits.silence_seconds)
        if not ready:
            self.stop()
            raise TableFileRefused("too_much_time", most=self.limits.silence_seconds)
        return os.read(output, PIECE)

    def death(self) -> TableFileRefused:
        """Why it ended before it said so: the kernel took it, or it ran out of something."""
        code = self.process.wait()
        if code in (-24, -9):  # SIGXCPU, SIGKILL
            return TableFileRefused("too_much_time", most=self.limits.cpu_seconds)
        return TableFileRefused("reader_died", status=code)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
