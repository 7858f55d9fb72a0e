"""Master data of the demo company: people, places, suppliers, products, prices, promotions."""

from decimal import Decimal

from django.contrib.auth.models import Group, User

from catalog.models import Category, PlanningDefaults, Price, Product, Promotion, Region, Supplier
from catalog.services.defaults import planning_defaults, update_planning_defaults
from catalog.services.prices import set_price
from catalog.services.products import create_product, discontinue_product
from catalog.services.suppliers import set_supplier_terms
from config.demo.assortment import CATEGORIES, SUPPLIERS, Assortment
from config.demo.history import History
from config.demo.people import DEMO_PASSWORD, DEMO_USERS
from config.demo.sales_file import CURRENCY, REGIONS, WAREHOUSES
from config.roles import setup_roles
from inventory.models import UserScope, Warehouse


def make_people() -> dict[str, User]:
    """Users with roles; everybody sees the whole company, the administrator is a superuser."""
    setup_roles(currencies=[CURRENCY])
    people: dict[str, User] = {}
    for name, role in DEMO_USERS.items():
        user = User(username=name, first_name=name.capitalize(), is_staff=True)
        user.is_superuser = role == "admin"
        user.set_password(DEMO_PASSWORD)
        user.save()
        group = Group.objects.filter(name=role).first()
        if group is not None:
            user.groups.add(group)
        UserScope.objects.create(user=user)
        people[name] = user
    return people


def make_places() -> list[Warehouse]:
    names = ("Northern warehouse", "Southern warehouse")
    warehouses = []
    for code, name, region_name in zip(WAREHOUSES, names, REGIONS, strict=True):
        region = Region.objects.create(
            code=region_name, name=region_name, time_zone="UTC", holiday_country="DE"
        )
        warehouses.append(Warehouse.objects.create(code=code, name=name, region=region))
    return warehouses


def make_suppliers() -> dict[str, Supplier]:
    return {
        code: Supplier.objects.create(
            code=code, name=name, currency=CURRENCY, review_period_days=review,
            order_weekdays=weekdays, min_order_value=Decimal(minimum),
            email=f"orders@{code.lower()}.example",
        )
        for code, name, _lead, _sd, review, weekdays, minimum in SUPPLIERS
    }  # fmt: skip


def make_products(
    assortment: Assortment, history: History, suppliers: dict[str, Supplier]
) -> list[Product]:
    """Products with terms of their supplier and prices as planned; dying ones are discontinued."""
    planning_defaults(currency=CURRENCY)
    update_planning_defaults(changes={"currency": CURRENCY})
    leads = {code: (lead, sd) for code, _name, lead, sd, *_rest in SUPPLIERS}
    categories = {
        code: Category.objects.create(code=code, name=name)
        for code, (name, *_season) in CATEGORIES.items()
    }
    last = len(history.days) - 1
    products = []
    for i, sku in enumerate(assortment.sku):
        is_new = assortment.starts[i] > last - 90
        is_dying = assortment.ends[i] <= last
        product = create_product(
            sku=sku,
            name=assortment.name[i].capitalize(),
            category=categories[assortment.category[i]],
            listed_on=history.days[int(assortment.starts[i])],
            lifecycle=Product.Lifecycle.PHASE_OUT
            if is_dying
            else (Product.Lifecycle.NEW if is_new else Product.Lifecycle.ACTIVE),
            facts={
                "brand": assortment.brand[i],
                "currency": CURRENCY,
                "unit_cost": Decimal(str(assortment.cost[i])),
                "list_price": Decimal(str(round(float(assortment.price[i]), 2))),
            },
        )
        lead, deviation = leads[assortment.supplier[i]]
        set_supplier_terms(
            supplier=suppliers[assortment.supplier[i]],
            product=product,
            lead_time_days=lead,
            lead_time_sd_days=deviation,
            unit_cost=Decimal(str(assortment.cost[i])),
            min_order_quantity=int(assortment.min_order_quantity[i]),
            order_multiple=int(assortment.order_multiple[i]),
        )
        products.append(product)
    for change in history.price_changes:
        set_price(
            product=products[change.product],
            amount=Decimal(str(change.amount)),
            currency=CURRENCY,
            valid_from=change.day,
        )
    return products


def retire_products(assortment: Assortment, history: History, products: list[Product]) -> None:
    """What has faded out altogether leaves shop and planning."""
    faded = 120  # days that a dying product still sells
    for i, product in enumerate(products):
        if assortment.ends[i] + faded <= len(history.days):
            discontinue_product(product=product)


def make_promotions(history: History) -> None:
    for campaign in history.campaigns:
        name, *_season = CATEGORIES[campaign.category]
        Promotion.objects.create(
            code=campaign.code,
            name=f"{name} −{campaign.discount_percent} %",
            starts_on=campaign.starts_on,
            ends_on=campaign.ends_on,
            discount_percent=campaign.discount_percent,
            category=Category.objects.get(code=campaign.category),
        )


def is_empty() -> bool:
    """Whether this installation has nothing in it that a demo could spoil."""
    return not (
        Product.objects.exists()
        or Warehouse.objects.exists()
        or Price.objects.exists()
        or PlanningDefaults.objects.filter(four_eyes=False).exists()
    )
