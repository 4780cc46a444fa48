"""Django: migrations of its own applications, inspectdb, and models at work."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import types

import django
from django.conf import settings

settings.configure(
    INSTALLED_APPS=[f"django.contrib.{name}" for name in ("contenttypes", "auth", "sessions", "postgres")],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql", "HOST": os.environ["PGHOST"], "PORT": os.environ["PGPORT"],
            "USER": os.environ["PGUSER"], "NAME": os.environ["PGDATABASE"],
        }
    },
    USE_TZ=True, DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
)  # fmt: skip
django.setup()

from django.contrib.auth.models import Group, User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection, models, transaction  # noqa: E402
from django.db.models import Avg, Case, Count, Exists, F, OuterRef, Q, Subquery, Sum, Value, When, Window  # noqa: E402
from django.db.models.functions import Coalesce, ExtractYear, Lower, Rank, TruncMonth  # noqa: E402

sys.modules["shop"] = types.ModuleType("shop")


class Category(models.Model):
    name = models.TextField()
    parent = models.ForeignKey("self", models.SET_NULL, null=True, db_column="parent")

    class Meta:
        app_label, managed, db_table = "shop", False, "categories"


class Order(models.Model):
    customer = models.IntegerField()
    status = models.CharField(max_length=20)
    placed = models.DateTimeField()
    note = models.TextField(null=True)
    total = models.DecimalField(max_digits=12, decimal_places=2)

    class Meta:
        app_label, managed, db_table = "shop", False, "orders"


class Line(models.Model):
    order = models.ForeignKey(Order, models.CASCADE, related_name="lines")
    line = models.IntegerField(primary_key=True)
    quantity = models.IntegerField()

    class Meta:
        app_label, managed, db_table = "shop", False, "order_items"


def work() -> None:
    user = User.objects.create_user("ada", "ada@example.test", "a password")
    group = Group.objects.create(name="readers")
    user.groups.add(group)
    user.has_perm("auth.add_user")
    User.objects.get_or_create(username="bob", defaults={"email": "bob@example.test"})
    User.objects.update_or_create(username="bob", defaults={"first_name": "Bob"})
    list(User.objects.select_related().prefetch_related("groups", "user_permissions").order_by("id"))
    with transaction.atomic():
        Category.objects.bulk_create([Category(name=f"c{n}") for n in range(3)])
        with contextlib.suppress(ZeroDivisionError), transaction.atomic():
            Category.objects.create(name="undone")
            raise ZeroDivisionError
    Category.objects.filter(name__startswith="c").update(name=F("name"))
    list(
        Order.objects.select_for_update().filter(status="new").order_by("id")[:2]
    ) if connection.in_atomic_block else None
    list(Order.objects.order_by("-id")[5:10])
    list(Order.objects.filter(Q(note__icontains="note 1") | Q(total__gt=90)).exclude(status="paid").order_by("id"))
    list(Order.objects.values("status").annotate(n=Count("id"), s=Sum("total"), a=Avg("total")).order_by("status"))
    list(Order.objects.annotate(m=TruncMonth("placed")).values("m").annotate(n=Count("*")).order_by("m"))
    list(Order.objects.annotate(y=ExtractYear("placed")).values_list("y", flat=True).distinct())
    list(
        Order.objects.annotate(r=Window(Rank(), partition_by="status", order_by="-total"))
        .values("id", "r")
        .order_by("id")
    )
    list(
        Order.objects.annotate(
            n=Subquery(Line.objects.filter(order=OuterRef("pk")).values("quantity").order_by("line")[:1])
        ).order_by("id")[:5]
    )
    list(Order.objects.filter(Exists(Line.objects.filter(order=OuterRef("pk"), quantity__gt=10))).order_by("id")[:5])
    list(
        Order.objects.annotate(
            big=Case(When(total__gt=50, then=Value("big")), default=Value("small"), output_field=models.TextField())
        )
        .values("id", "big")
        .order_by("id")[:9]
    )
    list(
        Order.objects.annotate(n=Coalesce("note", Value(""), output_field=models.TextField()))
        .annotate(low=Lower("n"))
        .values_list("low")
        .order_by("id")[:3]
    )
    list(Order.objects.filter(note__regex="^note [0-9]$").order_by("id").dates("placed", "month"))
    list(Order.objects.filter(id__in=[1, 2, 3]).union(Order.objects.filter(id=9)).order_by("id"))
    Order.objects.aggregate(Count("id"), total=Sum("total"))
    Order.objects.filter(id=1).exists()
    Order.objects.filter(placed__year=2024, placed__date__gt="2024-02-01").count()
    list(Order.objects.iterator(chunk_size=50))
    Category.objects.filter(name="c1").delete()
    list(Category.objects.raw("SELECT id, name, parent FROM categories WHERE id < %s ORDER BY id", [3]))
    with transaction.atomic():
        list(Order.objects.select_for_update(skip_locked=True).filter(id__lt=3))
        list(Order.objects.select_for_update(of=("self",), nowait=True).filter(id__lt=3))
    print(User.objects.filter(groups__name="readers").explain(), file=io.StringIO())


with contextlib.redirect_stdout(io.StringIO()):
    call_command("migrate", verbosity=0)
    call_command("migrate", verbosity=0)
    call_command("inspectdb")
    call_command("inspectdb", "order_totals", include_views=True)
    call_command("showmigrations")
    call_command("sqlsequencereset", "auth")
    call_command("createcachetable", "a_cache")
    work()
    call_command("flush", interactive=False, verbosity=0)
