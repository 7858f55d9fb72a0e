"""Every text of a page has its Chinese, with the same placeholders."""

import re

import pytest
from babel.messages.pofile import read_po

from config.translations import LOCALE, collect

PAGES = ("templates/", "inventory/views", "inventory/tables", "inventory/filters", "inventory/forms",
         "forecasting/views", "forecasting/tables", "forecasting/filters", "catalog/views",
         "catalog/forms", "config/today.py", "config/navigation.py", "config/templatetags")  # fmt: skip
PLACEHOLDER = re.compile(r"%\((\w+)\)")


@pytest.fixture(scope="module")
def chinese():
    with (LOCALE / "zh_Hans" / "LC_MESSAGES" / "django.po").open("rb") as file:
        return read_po(file, locale="zh_Hans")


def forms(message):
    return message if isinstance(message, tuple | list) else (message,)


def test_no_page_text_is_left_in_english(chinese):
    missing = []
    for message in collect():
        on_a_page = any(path.startswith(PAGES) for path, _line in message.locations)
        if not message.id or not on_a_page:
            continue
        found = chinese.get(forms(message.id)[0])
        if found is None or not all(forms(found.string)):
            missing.append(forms(message.id)[0])
    assert missing == []


def test_a_translation_keeps_its_placeholders(chinese):
    different = [
        message.id
        for message in chinese
        if message.id
        and all(forms(message.string))
        and set(PLACEHOLDER.findall(forms(message.id)[-1]))
        != set(PLACEHOLDER.findall(forms(message.string)[0]))
    ]
    assert different == []
