"""How much of a file is read at most."""

import json
from dataclasses import asdict, dataclass

MIB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """Bounds of one file. The child process keeps them; the kernel keeps its time and memory.

    Args:
        file_bytes: size of the file.
        inflated_bytes: what a spreadsheet's archive may inflate to, and the text that all cells may hold.
        ratio: inflated size over compressed size of one part of a spreadsheet.
        entries: parts of a spreadsheet's archive.
        rows: rows below the heading that are not empty.
        columns: columns of any row.
        cell_characters: of one cell (32,767 is what spreadsheets allow).
        cpu_seconds: processor time of the child.
        memory_bytes: address space of the child.
        silence_seconds: how long the parent waits for the next piece of an answer.
    """

    file_bytes: int = 20 * MIB
    inflated_bytes: int = 200 * MIB
    ratio: int = 100
    entries: int = 1000
    rows: int = 1_000_000
    columns: int = 200
    cell_characters: int = 32_767
    cpu_seconds: int = 60
    memory_bytes: int = 1024 * MIB
    silence_seconds: int = 120

    def as_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Limits":
        return cls(**json.loads(text))
