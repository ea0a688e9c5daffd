"""Works as a server does that opens the application, forks a worker, and ends with a change just made."""

import os
import sys

import django
from django.db import connection

os.environ["DJANGO_SETTINGS_MODULE"] = "backend.settings"
django.setup()

from django.contrib.auth.models import User  # noqa: E402 - models are there only now
from shop.models import Article  # noqa: E402

from rag_app import ProductionRAG, process_app  # noqa: E402
from rag_app.contrib.django import wait_for_ingestion  # noqa: E402


def chunks(query: str) -> int:
    result = ProductionRAG.retrieve_context(query, user=User.objects.first(), primary_source="manual")
    return result["total_chunks"]


user = User.objects.first()
Article.objects.create(user=user, title="پارکینگ", text="پارکینگ موسسه رایگان است.")
wait_for_ingestion()
before = chunks("پارکینگ دارین؟")
connection.close()
with process_app._lock:  # as while another thread opens the application
    child = os.fork()
if child == 0:
    found = chunks("پارکینگ دارین؟") == before > 0
    Article.objects.create(user=user, title="کافه", text="کافه موسسه در طبقه همکف است.")
    sys.exit(0 if found and wait_for_ingestion() and chunks("کافه کجاست؟") else 1)
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
for number in range(5):
    Article.objects.create(user=user, title=f"خبر {number}", text=f"خبر شماره {number} موسسه.")
sys.exit(status or (0 if chunks("پارکینگ دارین؟") >= before else 2))
