"""Small endpoints that stand for all: what they share is tested on them."""

from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied, ValidationError
from django.urls import include, path
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from catalog.api.idempotency import idempotent
from catalog.api.permissions import HasModelPermission, HasScope
from config.urls import handler404, handler500  # noqa: F401 - of the routes below
from inventory.exceptions import InvalidTransition, NotAllowed, StaleVersion


class Line(serializers.Serializer):
    quantity = serializers.IntegerField(min_value=1)


class Body(serializers.Serializer):
    name = serializers.CharField(max_length=20)
    lines = Line(many=True, required=False)


class Echo(APIView):
    permission_classes = [HasScope("events:write")]
    throttle_scope = "events"

    def post(self, request):
        body = Body(data=request.data)
        body.is_valid(raise_exception=True)
        return Response(body.validated_data)


class Count(APIView):
    """Has an effect that can be counted."""

    permission_classes = [HasScope("stock:write")]

    @idempotent
    def post(self, request):
        group = Group.objects.create(name=request.data["name"])
        if request.data.get("fail"):
            raise ValidationError("Too late.", code="invalid")
        return Response({"group": group.pk}, status=201)


class Guarded(APIView):
    permission_classes = [HasModelPermission("auth.group", read="stock:read", write="stock:write")]

    def get(self, request):
        return Response({})

    post = get


class FailsOpen(Echo):
    throttle_fails_open = True


ERRORS = {
    "rule": lambda: ValidationError({"quantity": ValidationError("Too much.", code="too_much")}),
    "stale": lambda: StaleVersion(seen=1, current={"version": 2, "quantity": 7}),
    "transition": lambda: InvalidTransition(current="open", wanted="received"),
    "denied": lambda: NotAllowed("Only approvers.", permission="inventory.approve"),
    "plain": lambda: PermissionDenied(),
}


class Failing(APIView):
    permission_classes = [HasScope("stock:read")]

    def get(self, request, name):
        raise ERRORS[name]()


urlpatterns = [
    path("api/v1/echo/", Echo.as_view()),
    path("api/v1/open/", FailsOpen.as_view()),
    path("api/v1/count/", Count.as_view()),
    path("api/v1/guarded/", Guarded.as_view()),
    path("api/v1/failing/<name>/", Failing.as_view()),
    path("", include("config.urls")),
]
ALL_SCOPES = ["events:write", "stock:write", "stock:read"]
