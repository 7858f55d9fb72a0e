"""Routes below /api/v1/."""

from django.urls import URLPattern, URLResolver, path
from drf_spectacular.views import SpectacularJSONAPIView

from config.api_docs import api_docs
from config.urlconfs import routes_of

app_name = "api"
urlpatterns: list[URLPattern | URLResolver] = [
    path("schema/", SpectacularJSONAPIView.as_view(), name="schema"),
    path("docs/", api_docs, name="docs"),
    *routes_of("catalog.api", "inventory.api", "forecasting.api", "recommendations.api"),
]
