"""Texts that a spreadsheet would run as formulas, made harmless and brought back.

A cell that starts with ``= + - @``, a tab or a carriage return gets an apostrophe in front (OWASP, CSV
injection). So that reading gives back exactly what was written, a text that looks like one of ours already
gets one apostrophe more.
"""

import re

HARMFUL = re.compile(r"'*[=+\-@\t\r]")
NEUTRALISED = re.compile(r"'+[=+\-@\t\r]")
ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")


def neutralised(text: str) -> str:
    """The text as it is written into a file that people open in a spreadsheet."""
    return f"'{text}" if HARMFUL.match(text) else text


def restored(text: str) -> str:
    """The text as it was before ``neutralised``."""
    # asked of every cell: most are settled by their first character
    return text[1:] if text[:1] == "'" and NEUTRALISED.match(text) else text


def unescaped(text: str) -> str:
    """Control characters that a spreadsheet stores as ``_x000D_``; half characters stay as they stand."""
    if "_x" not in text:
        return text
    return ESCAPED.sub(_character, text)


def _character(match: re.Match[str]) -> str:
    code = int(match[1], 16)
    return match[0] if 0xD800 <= code <= 0xDFFF else chr(code)
