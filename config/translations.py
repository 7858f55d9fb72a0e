"""Translation catalogues without GNU gettext: ``python -m config.translations compile|extract``.

``extract`` reads every translatable text of the Python files and templates and merges it into
locale/<language>/LC_MESSAGES/django.po; ``compile`` writes the .mo files that Django loads.
"""

import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import django
from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.conf import settings
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parent.parent
LOCALE = ROOT / "locale"
LANGUAGES = ("zh_Hans",)
HEADER = "# Texts of Granary. `make messages` merges new ones in."
SOURCES = ("catalog", "config", "forecasting", "inventory", "recommendations", "templates")
KEYWORDS = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
    "npgettext_lazy": ((1, "c"), 2, 3),
}


def python_source(path: Path) -> str:
    """The file as Python: a template becomes the gettext calls that its tags stand for."""
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return source
    calls = templatize(source, origin=str(path))
    # Between two tags the indentation means nothing to a template, but an error to Python.
    return "\n".join(line.lstrip() for line in calls.split("\n"))


def source_files() -> Iterator[Path]:
    for name in SOURCES:
        for pattern in ("*.py", "*.html", "*.txt"):
            yield from sorted(
                path for path in (ROOT / name).rglob(pattern) if "vendor" not in path.parts
            )


def collect() -> Catalog:
    """Every message of the sources, with the files that use it (no line numbers: quieter diffs)."""
    catalog = Catalog(project="Granary")
    for path in source_files():
        text = BytesIO(python_source(path).encode())
        options = {"encoding": "utf-8"}
        found = extract("python", text, KEYWORDS, comment_tags=("Translators:",), options=options)
        for _line, message, comments, context in found:
            place = [(path.relative_to(ROOT).as_posix(), 0)]
            catalog.add(message, locations=place, auto_comments=comments, context=context)
    return catalog


def extract_messages() -> None:
    template = collect()
    for language in LANGUAGES:
        path = LOCALE / language / "LC_MESSAGES" / "django.po"
        path.parent.mkdir(parents=True, exist_ok=True)
        catalog = Catalog(locale=language, project="Granary", header_comment=HEADER, fuzzy=False)
        if path.exists():
            with path.open("rb") as file:
                catalog = read_po(file, locale=language)
        catalog.update(template, no_fuzzy_matching=True, update_header_comment=False)
        with path.open("wb") as file:
            write_po(file, catalog, sort_output=True, ignore_obsolete=True, include_lineno=False)
        missing = sum(1 for message in catalog if message.id and not message.string)
        print(f"{path.relative_to(ROOT)}: {len(catalog)} texts, {missing} untranslated.")


def compile_messages() -> None:
    count = 0
    for path in sorted(LOCALE.rglob("*.po")):
        with path.open("rb") as file:
            catalog = read_po(file)
        with path.with_suffix(".mo").open("wb") as file:
            write_mo(file, catalog)
        count += 1
    print(f"Translations: {count} catalogues compiled.")


def main(arguments: list[str]) -> int:
    if arguments == ["compile"]:
        compile_messages()
    elif arguments == ["extract"]:
        # Reading templates needs Django's template engine, but none of our settings.
        settings.configure()
        django.setup()
        extract_messages()
    else:
        print("usage: python -m config.translations compile|extract", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
