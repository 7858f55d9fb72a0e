"""Pages load only what we serve, and do nothing the Content-Security-Policy forbids."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.test import override_settings

ROOT = Path(__file__).resolve().parents[2]
FORBIDDEN = {
    "inline style": re.compile(r"<[a-z][^>]*\sstyle\s*="),
    "style element": re.compile(r"<style\b"),
    "inline handler": re.compile(r"<[a-z][^>]*\son[a-z]+\s*="),
    "hx-on": re.compile(r"\shx-on[:a-z-]*\s*=|\shx-vals\s*=\s*[\"']js:|\shx-vars\s*="),
    "inline script": re.compile(
        r"<script(?![^>]*\bsrc=)(?![^>]*type=\"application/json\")[^>]*>", re.IGNORECASE
    ),
    "other host": re.compile(
        r"<(?:script|link|img|iframe|source)\b[^>]*(?:src|href)\s*=\s*[\"'](?:https?:)?//"
    ),
}
STATIC = re.compile(r"""\{%\s*static\s+["']([^"']+)["']""")
ICON = re.compile(r"""icons\.svg['"]\s*%\}#([a-z0-9-]+)|\{%\s*icon\s+["']([a-z0-9-]+)["']""")


def templates() -> Iterator[Path]:
    yield from sorted((ROOT / "templates").rglob("*.html"))


def violations(markup: str) -> list[str]:
    markup = re.sub(r"\{#.*?#\}|\{%\s*comment.*?endcomment\s*%\}", "", markup, flags=re.DOTALL)
    return [name for name, pattern in FORBIDDEN.items() if pattern.search(markup)]


def icon_names() -> set[str]:
    text = (ROOT / "config" / "assets.toml").read_text(encoding="utf-8")
    return set(tomllib.loads(text)["icons"]["names"])


def test_templates_keep_to_the_content_security_policy() -> None:
    found = {
        path.relative_to(ROOT).as_posix(): violations(path.read_text(encoding="utf-8"))
        for path in templates()
    }
    assert {name: names for name, names in found.items() if names} == {}


@pytest.mark.parametrize(
    ("markup", "name"),
    [
        ('<div style="width:3%">', "inline style"),
        ('<button onclick="go()">', "inline handler"),
        ('<a hx-on:click="go()">', "hx-on"),
        ("<script>go()</script>", "inline script"),
        ('<script src="https://cdn.example/x.js"></script>', "other host"),
    ],
)
def test_a_breach_of_the_policy_is_noticed(markup: str, name: str) -> None:
    assert violations(markup) == [name]


def test_data_blocks_and_own_scripts_are_allowed() -> None:
    assert violations('<script id="curve" type="application/json">[1]</script>') == []
    assert violations("<script src=\"{% static 'app/app.js' %}\" defer></script>") == []


def test_every_static_file_a_page_names_exists() -> None:
    missing = {
        name
        for path in templates()
        for name in STATIC.findall(path.read_text(encoding="utf-8"))
        if finders.find(name) is None
    }
    assert missing == set()


def test_every_icon_a_page_names_is_in_the_sprite() -> None:
    named = {
        first or second
        for path in templates()
        for first, second in ICON.findall(path.read_text(encoding="utf-8"))
    }
    assert named - icon_names() == set()


def test_static_files_can_be_served_under_hashed_names(tmp_path: Path) -> None:
    storage = {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"}
    with override_settings(STATIC_ROOT=tmp_path, STORAGES={"staticfiles": storage}):
        call_command("collectstatic", interactive=False, verbosity=0)
    assert list((tmp_path / "vendor" / "tabler").glob("tabler.min.*.css"))
