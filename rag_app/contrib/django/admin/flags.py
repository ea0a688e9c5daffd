"""The flags: a list of all, a form for each, its history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect

from rag_app.cli.flag_texts import parsed_value, render_change, shown_origin, shown_value
from rag_app.contrib.django.admin.pages import PageAdmin, guarded
from rag_app.contrib.django.models import Flag
from rag_app.errors import InvalidInputError
from rag_app.process_app import default_app

if TYPE_CHECKING:
    from rag_app.flags import FlagService  # it loads the application, and Django loads this when it starts


class FlagForm(forms.Form):
    """A flag's value, and for how long it holds."""

    value = forms.CharField(max_length=500)
    ttl = forms.FloatField(
        required=False,
        min_value=1,
        label="Time to live",
        help_text="After how many seconds it falls back by itself; empty: never.",
    )

    def __init__(self, name: str, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        from rag_app.flags import FLAGS

        definition = FLAGS[name]
        if isinstance(definition.default, bool):
            self.fields["value"] = forms.ChoiceField(choices=[("true", "true"), ("false", "false")])
        self.fields["value"].help_text = f"{definition.valid}."


class FlagAdmin(PageAdmin):
    """Shows the flags, and changes them in the name of the user."""

    pages = (("", "changelist"), ("<name>/change/", "change"), ("<name>/history/", "history"))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Flags are unset by changing them."""
        return False

    @guarded
    def changelist_view(self, request: HttpRequest) -> HttpResponse:
        """List every flag."""
        rows = [
            {
                "name": name,
                "url": self.url_of("change", name),
                "value": shown_value(told["value"]),
                "default": shown_value(told["default"]),
                "origin": shown_origin(told),
                "description": told["description"],
            }
            for name, told in default_app().flags.all().items()
        ]
        return self.page(request, "flags", "Flags", rows=rows)

    @guarded
    def change_view(self, request: HttpRequest, name: str) -> HttpResponse:
        """Show a flag, and change it if the user may."""
        name = unquote(name)  # links of the admin's log are quoted
        flags, may_change = _flags_with(name), self.has_change_permission(request)
        form = FlagForm(name, request.POST or None, initial={"value": shown_value(flags.get_value(name))})
        if request.method == "POST":
            if not may_change:
                raise PermissionDenied
            if "_unset" in request.POST or form.is_valid():
                try:
                    return self._changed(request, flags, name, form)
                except InvalidInputError as error:
                    form.add_error("value", str(error))
        told = flags.all()[name]
        return self.page(
            request,
            "flag",
            name,
            form=form if may_change else None,
            description=told["description"],
            value=shown_value(told["value"]),
            default=shown_value(told["default"]),
            origin=shown_origin(told),
            is_set=told["set"],
            history_url=self.url_of("history", name),
        )

    @guarded
    def history_view(self, request: HttpRequest, name: str) -> HttpResponse:
        """Show who changed a flag, and when."""
        name = unquote(name)
        rows = [
            {
                "at": change.changed_at[:19],
                "by": change.changed_by,
                "old": shown_value(change.old),
                "new": shown_value(change.new),
                "until": (change.expires_at or "")[:19],
            }
            for change in _flags_with(name).history(name)
        ]
        change_url = self.url_of("change", name)
        return self.page(request, "flag_history", f"History of {name}", rows=rows, change_url=change_url)

    def _changed(self, request: HttpRequest, flags: FlagService, name: str, form: FlagForm) -> HttpResponse:
        by, ttl = request.user.get_username(), None
        if "_unset" in request.POST:
            flags.unset(name, changed_by=by)
        else:
            ttl = form.cleaned_data["ttl"]
            flags.set(name, parsed_value(form.cleaned_data["value"]), ttl=ttl, changed_by=by)
        told = render_change(name, flags.all(), ttl, program="manage.py rag_flags")
        self.log_change(request, Flag(name=name), told)
        self.message_user(request, f"The flag {told}", messages.SUCCESS)
        return HttpResponseRedirect(self.url_of("changelist"))


def _flags_with(name: str) -> FlagService:
    from rag_app.flags import FLAGS

    if name not in FLAGS:
        raise Http404
    return default_app().flags
