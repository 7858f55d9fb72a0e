"""Who may call an endpoint: keys by scope, people (and the users keys act for) by permission."""

from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import NotAuthenticated, PermissionDenied
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from catalog.models import ApiKey
from catalog.services.api_keys import SCOPES

if TYPE_CHECKING:
    from rest_framework.views import APIView

METHOD_PERMISSIONS = {"POST": "add", "PUT": "change", "PATCH": "change", "DELETE": "delete"}


class ScopePermission(BasePermission):
    """Base of what `HasScope` and `HasModelPermission` return; `scope_for` and `permission_for` decide."""

    def scope_for(self, request: Request) -> str:
        raise NotImplementedError

    def permission_for(self, request: Request) -> str | None:
        raise NotImplementedError

    def has_permission(self, request: Request, view: "APIView") -> bool:
        user = request.user
        if not user or not user.is_authenticated:
            raise NotAuthenticated
        scope = self.scope_for(request)
        if isinstance(request.auth, ApiKey) and scope not in request.auth.scopes:
            raise PermissionDenied(
                _("The API key lacks the scope “%(scope)s”.") % {"scope": scope},
                code="missing_scope",
            )
        permission = self.permission_for(request)
        if permission is not None and not user.has_perm(permission):
            raise PermissionDenied(
                _("This needs the permission “%(permission)s”.") % {"permission": permission},
                code="missing_permission",
            )
        return True


def HasScope(scope: str, *, permission: str | None = None) -> type[ScopePermission]:
    """Permission class: a key needs `scope`; with `permission` ("app.codename") its user needs that too.

    A person in a session needs no scope, only the permission.
    """
    _check_scope(scope)

    class RequiredScope(ScopePermission):
        required_scope = scope
        required_permission = permission

        def scope_for(self, request: Request) -> str:
            return scope

        def permission_for(self, request: Request) -> str | None:
            return permission

    return RequiredScope


def HasModelPermission(model: str, *, read: str, write: str) -> type[ScopePermission]:
    """Permission class by method for `model` ("app.model"): view to read; add, change, delete to write.

    `read` and `write` are the scopes a key needs.
    """
    _check_scope(read)
    _check_scope(write)
    app_label, model_name = model.lower().split(".")

    class RequiredModelPermission(ScopePermission):
        def scope_for(self, request: Request) -> str:
            return read if request.method in SAFE_METHODS else write

        def permission_for(self, request: Request) -> str | None:
            verb = METHOD_PERMISSIONS.get(str(request.method), "view")
            return f"{app_label}.{verb}_{model_name}"

    return RequiredModelPermission


def _check_scope(scope: Any) -> None:
    if scope not in SCOPES:
        raise ValueError(
            f"Expected a scope of catalog.services.api_keys.SCOPES, received: {scope!r}."
        )
