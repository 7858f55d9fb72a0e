"""Shops come with a key and its scope, people with a permission."""

from typing import ClassVar

from rest_framework.request import Request

from catalog.api.permissions import ScopePermission
from catalog.models import ApiKey


class ShopPermission(ScopePermission):
    """A key needs `scope`; a person in a session needs `permission`."""

    scope: ClassVar[str]
    permission: ClassVar[str]

    def scope_for(self, request: Request) -> str:
        return self.scope

    def permission_for(self, request: Request) -> str | None:
        return None if isinstance(request.auth, ApiKey) else self.permission


class MayReadRecommendations(ShopPermission):
    scope = "recommend:read"
    permission = "catalog.view_product"


class MaySendEvents(ShopPermission):
    scope = "events:write"
    permission = "recommendations.add_event"


class MayErase(ShopPermission):
    scope = "events:write"
    permission = "recommendations.delete_visitor"
