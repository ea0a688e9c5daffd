from django.contrib import admin
from django.urls import path
from shop import views

urlpatterns = [
    path("admin/", admin.site.urls),
    path("chat/", views.chat),
    path("achat/", views.achat),
    path("ping/", views.ping),
]
