"""The process that reads a stranger's file: bounds first, then rows as lines of JSON on its output.

    python -m inventory.engine.tables.child PATH KIND ENCODING LIMITS

The first line is {"head": …}, then one list [number, cells, faults] a row, at last {"end": rows}; or
{"refused": code, "details": …} instead of the rest.
"""

import contextlib
import resource
import signal
import sys
from pathlib import Path
from typing import Any

import orjson

from inventory.engine.tables.csv_reading import csv_rows, read_csv_text
from inventory.engine.tables.errors import TableFileRefused
from inventory.engine.tables.limits import Limits
from inventory.engine.tables.xlsx_reading import xlsx_rows

BATCH = 500
TOO_MANY_CELLS = "too_many_cells"


def bound_process(limits: Limits) -> None:
    """Let the kernel end this process when it takes more time or memory than it may."""
    wanted = {
        resource.RLIMIT_CPU: (limits.cpu_seconds, limits.cpu_seconds + 2),
        resource.RLIMIT_AS: (limits.memory_bytes, limits.memory_bytes),
        resource.RLIMIT_FSIZE: (0, 0),
        resource.RLIMIT_CORE: (0, 0),
    }
    for kind, value in wanted.items():
        with contextlib.suppress(ValueError, OSError):  # macOS does not bound address space
            resource.setrlimit(kind, value)
    signal.signal(signal.SIGXCPU, _out_of_time)


class OutOfTime(BaseException):
    """The soft limit of processor time was reached."""


def _out_of_time(number: int, frame: Any) -> None:
    raise OutOfTime


def emit(value: Any) -> None:
    sys.stdout.buffer.write(orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS) + b"\n")


def send_rows(path: Path, kind: str, encoding: str, limits: Limits) -> None:
    """Write heading and rows; keep the bounds on rows, columns and text while they pass.

    Raises:
        TableFileRefused: see the readers; besides: no heading, too many rows, columns or characters.
    """
    size = path.stat().st_size
    if size > limits.file_bytes:
        raise TableFileRefused("too_large", most=limits.file_bytes)
    facts: dict[str, Any] = {}
    if kind == "csv":
        source = read_csv_text(path, encoding=encoding)
        facts = {"encoding": source.encoding, "delimiter": source.delimiter}
        rows: Any = ((number, cells, {}) for number, cells in csv_rows(source, limits))
    else:
        rows = xlsx_rows(path, limits)
    head: list[str] | None = None
    count, characters = 0, 0
    pieces: list[bytes] = []
    for number, cells, faults in rows:
        while cells and not cells[-1] and len(cells) - 1 not in faults:
            cells.pop()
        if len(cells) > limits.columns:
            raise TableFileRefused("too_many_columns", row=number, most=limits.columns)
        if head is None:
            head = cells
            emit({"head": head, **facts})
            continue
        count += 1
        if count > limits.rows:
            raise TableFileRefused("too_many_rows", most=limits.rows)
        # a short text that a spreadsheet refers to a million times is a bomb too
        characters += sum(map(len, cells))
        if characters > limits.inflated_bytes:
            raise TableFileRefused("inflates_too_far", most=limits.inflated_bytes)
        if len(cells) > len(head):
            faults = {**faults, -1: TOO_MANY_CELLS}
        pieces.append(orjson.dumps([number, cells, faults], option=orjson.OPT_NON_STR_KEYS))
        if len(pieces) == BATCH:
            sys.stdout.buffer.write(b"\n".join(pieces) + b"\n")
            pieces.clear()
    if head is None:
        raise TableFileRefused("empty_file")
    if pieces:
        sys.stdout.buffer.write(b"\n".join(pieces) + b"\n")
    emit({"end": count})


def main(arguments: list[str]) -> int:
    path, kind, encoding, limits_text = arguments
    limits = Limits.from_json(limits_text)
    bound_process(limits)
    try:
        send_rows(Path(path), kind, encoding, limits)
    except TableFileRefused as refused:
        emit({"refused": refused.code, "details": refused.details})
    except (MemoryError, RecursionError):
        emit({"refused": "too_much_memory", "details": {}})
    except OutOfTime:
        emit({"refused": "too_much_time", "details": {"most": limits.cpu_seconds}})
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
