from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from catalog.admin.base import MasterDataAdmin, tell_error
from catalog.models import Category, Product, ProductRelation, SupplierProduct
from catalog.services.products import discontinue_product


class SupplierProductInline(admin.TabularInline):
    model = SupplierProduct
    extra = 0
    autocomplete_fields = ["supplier"]
    fields = [
        "supplier", "priority", "lead_time_days", "lead_time_assumed", "min_order_quantity",
        "order_multiple", "unit_cost", "cost_assumed",
    ]  # fmt: skip


class RelationInline(admin.TabularInline):
    model = ProductRelation
    fk_name = "product"
    extra = 0
    autocomplete_fields = ["related"]


@admin.register(Category)
class CategoryAdmin(MasterDataAdmin):
    list_display = ["code", "name", "parent"]
    list_select_related = ["parent"]
    search_fields = ["code", "name"]
    autocomplete_fields = ["parent"]


@admin.register(Product)
class ProductAdmin(MasterDataAdmin):
    list_display = [
        "sku", "name", "category", "lifecycle", "unit_cost", "cost_assumed", "list_price", "currency",
        "is_sellable",
    ]  # fmt: skip
    list_filter = [
        "lifecycle",
        "is_sellable",
        "cost_assumed",
        ("category", admin.RelatedOnlyFieldListFilter),
    ]
    list_select_related = ["category"]
    search_fields = ["sku", "name", "brand"]
    autocomplete_fields = ["category", "successor", "history_source"]
    inlines = [SupplierProductInline, RelationInline]
    readonly_fields = ["created_at"]
    actions = ["discontinue"]

    @admin.action(description=_("Discontinue selected products"), permissions=["change"])
    def discontinue(self, request: HttpRequest, queryset: QuerySet[Product]) -> None:
        count = 0
        for product in queryset:
            try:
                discontinue_product(product=product)
            except ValidationError as error:
                tell_error(request, product, error)
            else:
                count += 1
        messages.success(
            request,
            ngettext("%(n)d product discontinued.", "%(n)d products discontinued.", count)
            % {"n": count},
        )


@admin.register(ProductRelation)
class ProductRelationAdmin(MasterDataAdmin):
    list_display = ["product", "kind", "related", "confidence", "source"]
    list_filter = ["kind", "source"]
    list_select_related = ["product", "related"]
    search_fields = ["product__sku", "product__name", "related__sku"]
    autocomplete_fields = ["product", "related"]
