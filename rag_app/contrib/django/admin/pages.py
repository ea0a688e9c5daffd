"""What the pages of the admin share."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from rag_app.errors import RagAppError


class PageAdmin(admin.ModelAdmin):  # type: ignore[type-arg] # it is generic in its stubs alone
    """An admin of pages of our own, for what no table of Django's holds."""

    pages: tuple[tuple[str, str], ...] = ()
    """The views: the end of each one's URL, and its name as Django's own have it."""

    def get_urls(self) -> list[URLPattern]:
        """Return the URLs of the pages, by names as Django's own have them; there are no others."""
        return [
            path(route, self.admin_site.admin_view(getattr(self, f"{name}_view")), name=self._named(name))
            for route, name in self.pages
        ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nothing is added here."""
        return False

    def url_of(self, name: str, *args: str) -> str:
        """Return the URL of a page."""
        return reverse(f"{self.admin_site.name}:{self._named(name)}", args=args)

    def page(self, request: HttpRequest, template: str, title: str, **context: Any) -> TemplateResponse:
        """Return a page of the admin."""
        request.current_app = self.admin_site.name  # as Django's own views do
        shared = {**self.admin_site.each_context(request), "opts": self.opts, "title": title}
        return TemplateResponse(request, f"rag_app/{template}.html", {**shared, **context})

    def _named(self, name: str) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{name}"


def guarded(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Keep out who may not view, and tell why rag_app can not serve instead of failing."""

    @wraps(view)
    def answer(self: PageAdmin, request: HttpRequest, **found: str) -> HttpResponse:
        if not (self.has_view_permission(request) or self.has_change_permission(request)):
            raise PermissionDenied
        try:
            return view(self, request, **found)
        except RagAppError as error:
            response = self.page(request, "unavailable", "rag_app can not serve this", error=str(error))
            response.status_code = 503
            return response

    return answer
