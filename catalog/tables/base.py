"""Tables of list pages: sortable heads, numbers to the right, cards on a phone."""

from typing import Any, ClassVar

import django_tables2
from django.utils.translation import gettext_lazy as _


class PageTable(django_tables2.Table):
    """A table drawn by templates/tables/table.html.

    ``row_template`` draws a whole row where cells of one row belong together (forms, two lines).
    """

    row_template: ClassVar[str] = ""
    css: ClassVar[str] = ""
    # column → the column whose figure stands below it in the same cell, and sorts from the same head
    below: ClassVar[dict[str, str]] = {}
    caption: ClassVar[Any] = ""

    class Meta:
        template_name = "tables/table.html"
        empty_text = _("Nothing matches.")


class NumberColumn(django_tables2.Column):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("attrs", {"th": {"class": "num"}, "td": {"class": "num"}})
        super().__init__(*args, **kwargs)


class TitleColumn(django_tables2.Column):
    """What a row is about: the head of its card on a phone."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("attrs", {"td": {"class": "card-wide card-title-cell"}})
        super().__init__(*args, **kwargs)
