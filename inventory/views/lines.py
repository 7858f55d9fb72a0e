"""Pages on which lines are typed or scanned one after the other."""

from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from inventory.forms.lines import LinesForm
from inventory.views.base import ScopedPage

HEAD_FIELDS = {"reason_code": "reason"}


class LinesPage(ScopedPage):
    """POST ``action``: add (a line), remove:<n>, or send (the whole); only the last one writes."""

    def make_form(self, data: QueryDict | None) -> LinesForm:
        raise NotImplementedError

    def send(self, form: Any) -> str:
        """Call the service; return the address to go on with."""
        raise NotImplementedError

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = self.make_form(request.POST)
        action = request.POST.get("action", "add")
        if action.startswith("remove:"):
            number = action.removeprefix("remove:")
            form.remove(int(number) if number.isdecimal() and len(number) < 6 else -1)
            form.full_clean()
            return self.again(form, status=200)
        added = form.take_new()
        if action != "send":
            return self.again(form, status=200 if added else 422, only_line=True)
        # the head may be wrong beside a line: both are told at once
        rows_are_fine = form.check_rows()
        if added and rows_are_fine and form.is_valid():
            try:
                return redirect(self.send(form))
            except ValidationError as error:
                self.show(form, error)
            except PermissionDenied as error:
                form.add_error(None, str(error))
        return self.again(form, status=422)

    def show(self, form: LinesForm, error: ValidationError) -> None:
        """Put the errors of a service beside the fields they are about."""
        if not hasattr(error, "error_dict"):
            form.add_error(None, error.messages)
            return
        messages = error.message_dict
        rows = {name: found for name, found in messages.items() if name.startswith("lines")}
        others = form.show_row_errors(rows)
        if others:
            form.add_error(None, others)
        for name, found in messages.items():
            target = HEAD_FIELDS.get(name, name)
            if name not in rows:
                form.add_error(target if target in form.fields else None, found)

    def again(self, form: LinesForm, *, status: int, only_line: bool = False) -> HttpResponse:
        if only_line:
            # the head is not sent off yet: what is still empty there is no error
            for name in list(form.errors):
                if not name.startswith("new_") and name != "__all__":
                    del form.errors[name]
        context = self.get_context_data(form=form, **self.kwargs)
        return self.render_to_response(context, status=status)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        form = kwargs.get("form") or self.make_form(None)
        return {**context, "form": form, "signed": form.signed, "add_label": _("Add")}
