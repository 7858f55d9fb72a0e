"""Planning defaults: every assumption in one form."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from catalog.forms.defaults import PlanningDefaultsForm
from catalog.services.defaults import planning_defaults, update_planning_defaults
from catalog.views.base import Page, describe_permission

CHANGE = "catalog.change_planningdefaults"


class PlanningDefaultsPage(Page):
    permission_required = "catalog.view_planningdefaults"
    template_name = "catalog/planning_defaults.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        form = kwargs.pop("form", None) or PlanningDefaultsForm(instance=planning_defaults())
        may_change = self.request.user.has_perm(CHANGE)
        return {**super().get_context_data(**kwargs), "form": form, "may_change": may_change}

    def post(self, request: HttpRequest) -> HttpResponse:
        if not request.user.has_perm(CHANGE):
            raise PermissionDenied(describe_permission(CHANGE))
        form = PlanningDefaultsForm(request.POST, instance=planning_defaults())
        if form.is_valid():
            try:
                update_planning_defaults(changes=form.cleaned_data, by=request.user, at=self.at)
            except ValidationError as error:
                form.add_error(None, error)
            else:
                messages.success(request, _("Saved. The next plan uses these values."))
                return redirect("planning-defaults")
        return self.render_to_response(self.get_context_data(form=form), status=422)
