"""Routes of all apps."""

from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LoginView, LogoutView, PasswordChangeView
from django.urls import URLPattern, URLResolver, include, path, reverse_lazy
from django.views.i18n import set_language

from config import views
from config.today import Today
from config.urlconfs import routes_of

handler404 = views.not_found
handler500 = views.server_error

urlpatterns: list[URLPattern | URLResolver] = [
    path("", Today.as_view(), name="today"),
    path("live", views.live, name="live"),
    path("ready", views.ready, name="ready"),
    path("login/", LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path(
        "password/",
        PasswordChangeView.as_view(success_url=reverse_lazy("password_change")),
        name="password_change",
    ),
    path("language/", login_not_required(set_language), name="set_language"),
    path("admin/", admin.site.urls),
    path("api/v1/", include("config.api_urls")),
    *routes_of("inventory", "forecasting", "recommendations", "catalog"),
]
