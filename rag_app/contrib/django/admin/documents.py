"""The documents of a tenant: a list page by page, and their deletion."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.contrib.admin.models import DELETION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from rag_app.contrib.django.admin.pages import PageAdmin, guarded
from rag_app.process_app import default_app

PAGE = 100


class TenantForm(forms.Form):
    """Whose documents to show; row-level security shows one tenant at a time."""

    tenant = forms.CharField(max_length=200, help_text="The primary key of a user, or whatever names the tenant.")
    source = forms.CharField(max_length=200, required=False)


class DocumentAdmin(PageAdmin):
    """Shows a tenant's documents and deletes them."""

    pages = (("", "changelist"), ("delete/", "delete"))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Documents change by being ingested."""
        return False

    @guarded
    def changelist_view(self, request: HttpRequest) -> HttpResponse:
        """Ask for the tenant, and list its documents."""
        form = TenantForm(request.GET or None)
        if not form.is_valid():
            return self.page(request, "documents", "Documents", form=form)
        asked = form.cleaned_data
        found = default_app().documents(
            tenant=asked["tenant"], source=asked["source"] or None, limit=PAGE, after=request.GET.get("after")
        )
        return self.page(
            request,
            "documents",
            "Documents",
            form=form,
            page=found,
            next_url=f"?{urlencode({**asked, 'after': found.next})}" if found.next else None,
            delete_url=self.url_of("delete") if self.has_delete_permission(request) else None,
        )

    @guarded
    def delete_view(self, request: HttpRequest) -> HttpResponse:
        """Ask whether the chosen documents are to be deleted, and delete them once that is said."""
        if not self.has_delete_permission(request):
            raise PermissionDenied
        form, chosen = TenantForm(request.POST or None), request.POST.getlist("doc_id")
        if not form.is_valid() or not chosen:
            self.message_user(request, "No documents were chosen.", messages.WARNING)
            return HttpResponseRedirect(self.url_of("changelist"))
        if "confirmed" not in request.POST:
            return self.page(request, "delete_documents", "Delete documents", form=form, chosen=chosen)
        asked = form.cleaned_data
        deleted = [doc_id for doc_id in chosen if default_app().delete(doc_id, tenant=asked["tenant"])]
        self._log_deleted(request, asked["tenant"], deleted)
        self.message_user(request, f"{len(deleted)} documents deleted.", messages.SUCCESS)
        return HttpResponseRedirect(f"{self.url_of('changelist')}?{urlencode(asked)}")

    def _log_deleted(self, request: HttpRequest, tenant: str, doc_ids: list[str]) -> None:
        kind = ContentType.objects.get_for_model(self.model)
        LogEntry.objects.bulk_create(
            LogEntry(
                user_id=request.user.pk,
                content_type=kind,
                object_id=doc_id,
                object_repr=doc_id,
                action_flag=DELETION,
                change_message=f"of tenant {tenant}",
            )
            for doc_id in doc_ids
        )
