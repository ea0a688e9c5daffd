from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from rag_app.contrib.django import delete_on_commit, ingest_on_commit
from shop.models import Article


@receiver(post_save, sender=Article)
def ingest(instance: Article, **_: object) -> None:
    ingest_on_commit(instance, tenant=instance.user, source="manual", title=instance.title, text=instance.text)


@receiver(post_delete, sender=Article)
def delete(instance: Article, **_: object) -> None:
    delete_on_commit(instance, tenant=instance.user)
