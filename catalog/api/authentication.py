"""Authentication of machines: ``Authorization: Api-Key pk_…``."""

from django.contrib.auth.models import User
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from catalog import request_context
from catalog.models import ApiKey
from catalog.services import api_keys


class ApiKeyAuthentication(BaseAuthentication):
    """`request.user` becomes the user a key acts as, `request.auth` the key."""

    keyword = "Api-Key"

    def authenticate(self, request: Request) -> tuple[User, ApiKey] | None:
        keyword, _space, text = get_authorization_header(request).partition(b" ")
        if keyword.lower() != self.keyword.lower().encode():
            return None
        at = timezone.now()
        key = api_keys.find_key(text=text.strip().decode("latin-1"), at=at)
        if key is None:
            raise AuthenticationFailed(
                _("The API key is unknown, expired or revoked."), code="invalid_api_key"
            )
        api_keys.note_use(key=key, at=at)
        request_context.signed_in(user=key.user, api_key=key)
        return key.user, key

    def authenticate_header(self, request: Request) -> str:
        return self.keyword
