"""Flags and documents in Django's admin, shown and changed through rag_app itself."""

from django.contrib import admin

from rag_app.contrib.django.admin.documents import DocumentAdmin
from rag_app.contrib.django.admin.flags import FlagAdmin
from rag_app.contrib.django.models import Document, Flag

admin.site.register(Flag, FlagAdmin)
admin.site.register(Document, DocumentAdmin)
