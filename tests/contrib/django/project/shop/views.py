# fmt: off
import threading

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, JsonResponse

import rag_app
from rag_app import ProductionRAG


def chat(request: HttpRequest) -> HttpResponse:
    result = ProductionRAG.retrieve_context(
        query='بورسیه دارین؟', user=User.objects.first(), primary_source='manual', secondary_sources=['faq'],
        primary_budget=800, secondary_budget=600)
    return JsonResponse({**result, 'app': id(rag_app.default_app()), 'thread': threading.get_ident()})


async def achat(request: HttpRequest) -> HttpResponse:
    result = await ProductionRAG.aretrieve_context(
        query='بورسیه دارین؟', user=await User.objects.afirst(), primary_source='manual', secondary_sources=['faq'],
        primary_budget=800, secondary_budget=600)
    return JsonResponse({**result, 'app': id(rag_app.default_app()), 'thread': threading.get_ident()})


async def ping(request: HttpRequest) -> HttpResponse:
    return HttpResponse('pong')
