"""Who acts when a command imports orders and nobody is named."""

from django.contrib.auth.models import Permission, User
from django.db import transaction

from inventory.models import UserScope
from inventory.services.customer_orders.common import ADD, CANCEL, CHANGE, SHIP

NAME = "order-import"


@transaction.atomic
def command_actor(username: str = "") -> User:
    """The named user; else the account of the command, which nobody can sign in to and which sees everything.

    Raises:
        User.DoesNotExist: nobody active has this name.
    """
    if username:
        return User.objects.get(username=username, is_active=True)
    user, created = User.objects.get_or_create(username=NAME)
    if created:
        user.set_unusable_password()
        user.save(update_fields=["password"])
        UserScope.objects.get_or_create(user=user)
    codes = [label.partition(".")[2] for label in (ADD, CHANGE, SHIP, CANCEL)]
    user.user_permissions.set(
        Permission.objects.filter(content_type__app_label="inventory", codename__in=codes)
    )
    return User.objects.get(pk=user.pk)
