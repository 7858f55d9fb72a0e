"""Stock levels, the ledger, products."""

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response

from catalog.models import Product
from inventory.api import permissions
from inventory.api import serializers as shapes
from inventory.api.base import ScopedListView
from inventory.filters.stock import ProductFilter, StockFilter
from inventory.models import StockLevel, StockMovement
from inventory.selectors.ledger import movements
from inventory.selectors.pages import product_directory
from inventory.selectors.stock import stock_levels


class MovementPages(CursorPagination):
    """Pages that stay where they are while new rows come in."""

    ordering = "-id"
    page_size = 100
    page_size_query_param = "limit"
    max_page_size = 200


class MovementFilter(django_filters.FilterSet):
    sku = django_filters.CharFilter(field_name="product__sku")
    warehouse = django_filters.CharFilter(field_name="warehouse__code")
    kind = django_filters.ChoiceFilter(choices=StockMovement.Kind.choices)
    since = django_filters.IsoDateTimeFilter(field_name="at", lookup_expr="gte")
    until = django_filters.IsoDateTimeFilter(field_name="at", lookup_expr="lt")

    class Meta:
        model = StockMovement
        fields: list[str] = []


class StockLevelList(ScopedListView):
    permission_classes = [permissions.MayReadStock]
    serializer_class = shapes.StockLevelRow
    filterset_class = StockFilter
    ordering_fields = ("product__sku", "warehouse__code", "on_hand")

    def scoped_rows(self) -> QuerySet[StockLevel]:
        return stock_levels(scope=self.scope)

    @extend_schema(operation_id="list_stock_levels", tags=["stock"])
    def get(self, request: Request) -> Response:
        return super().get(request)


class MovementList(ScopedListView):
    permission_classes = [permissions.MayReadLedger]
    serializer_class = shapes.MovementRow
    filterset_class = MovementFilter
    pagination_class = MovementPages

    def scoped_rows(self) -> QuerySet[StockMovement]:
        return movements(scope=self.scope)

    @extend_schema(operation_id="list_stock_movements", tags=["stock"])
    def get(self, request: Request) -> Response:
        """The ledger, newest first, by cursor."""
        return super().get(request)


class ProductList(ScopedListView):
    permission_classes = [permissions.MayReadProducts]
    serializer_class = shapes.ProductRow
    filterset_class = ProductFilter
    ordering_fields = ("sku", "name", "on_hand", "created_at")

    def scoped_rows(self) -> QuerySet[Product]:
        return product_directory(scope=self.scope).order_by("sku")

    @extend_schema(operation_id="list_products", tags=["catalog"])
    def get(self, request: Request) -> Response:
        return super().get(request)
