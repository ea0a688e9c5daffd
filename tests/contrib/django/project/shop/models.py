from django.conf import settings
from django.db import models


class Article(models.Model):
    """A text that the customers of a user may ask about."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    title = models.CharField(max_length=200)
    text = models.TextField(blank=True)
