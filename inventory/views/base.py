"""Pages of this app see the part of the business that is in the user's scope."""

from typing import Any

from django.http import HttpRequest

from catalog.views.base import Guarded, ListPage, Page
from inventory.selectors.scope import Scope, scope_of


class Scoped(Guarded):
    scope: Scope

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if request.user.is_authenticated:
            self.scope = scope_of(request.user)
        return super().dispatch(request, *args, **kwargs)


class ScopedPage(Scoped, Page):
    pass


class ScopedListPage(Scoped, ListPage):
    pass
