"""What an application does with its object-relational mapper: start-up, tables made, introspection, rows in and out.

mysql_orm.py sqlalchemy|django ADDRESS     prints one JSON object, the same wherever it runs
"""

from __future__ import annotations

import json
import sys
from typing import Any

WHICH, ADDRESS = sys.argv[1:]
USER, PASSWORD, DATABASE = "trusting", "", "shop"


def sqlalchemy_() -> dict[str, Any]:
    import sqlalchemy as sa
    from sqlalchemy import orm

    class Base(orm.DeclarativeBase):
        pass

    class Owner(Base):
        __tablename__ = "orm_owner"
        id = orm.mapped_column(sa.Integer, primary_key=True)
        name = orm.mapped_column(sa.String(40), index=True)
        pets = orm.relationship("Pet", back_populates="owner")

    class Pet(Base):
        __tablename__ = "orm_pet"
        id = orm.mapped_column(sa.Integer, primary_key=True)
        name = orm.mapped_column(sa.String(40))
        weight = orm.mapped_column(sa.Numeric(6, 2))
        owner_id = orm.mapped_column(sa.ForeignKey("orm_owner.id"))
        owner = orm.relationship(Owner, back_populates="pets")

    engine = sa.create_engine(f"mysql+pymysql://{USER}:{PASSWORD}@{ADDRESS}/{DATABASE}?charset=utf8mb4")
    Base.metadata.create_all(engine)
    Base.metadata.create_all(engine)  # asks what is there
    inspected = sa.inspect(engine)
    answer: dict[str, Any] = {
        "tables": sorted(name for name in inspected.get_table_names() if name.startswith("orm_")),
        "columns": [[c["name"], str(c["type"])] for c in inspected.get_columns("orm_pet")],
        "keys": inspected.get_foreign_keys("orm_pet"), "indexes": inspected.get_indexes("orm_owner"),
        "primary": inspected.get_pk_constraint("orm_owner"), "views": inspected.get_view_names(),
    }  # fmt: skip
    reflected = sa.MetaData()
    reflected.reflect(engine, only=["orm_pet"])
    answer["reflected"] = sorted(reflected.tables)
    with orm.Session(engine) as session:
        session.add(Owner(id=1, name="it's é", pets=[Pet(name="a", weight=1.5), Pet(name="b")]))
        session.commit()
        for pet in session.scalars(sa.select(Pet).join(Owner).where(Owner.name.like("it's%")).order_by(Pet.name)):
            pet.name += "!"
        session.commit()
        rows = session.execute(sa.select(Pet.name, Owner.name, sa.func.coalesce(Pet.weight, 0)).join(Owner))
        answer["rows"] = sorted([list(map(str, row)) for row in rows])
        session.execute(sa.delete(Pet).where(Pet.name == "b!"))
        session.rollback()
        answer["count"] = session.scalar(sa.select(sa.func.count()).select_from(Pet))
    engine.dispose()
    return answer


def django() -> dict[str, Any]:
    import django as package
    from django.conf import settings

    login = {"HOST": ADDRESS, "PORT": 3306, "USER": USER, "PASSWORD": PASSWORD, "NAME": DATABASE}
    options = {"charset": "utf8mb4", "ssl_mode": "DISABLED"}
    databases = {"default": {"ENGINE": "django.db.backends.mysql", **login, "OPTIONS": options}}
    settings.configure(DATABASES=databases, INSTALLED_APPS=(), DEFAULT_AUTO_FIELD="django.db.models.BigAutoField")
    package.setup()
    from django.db import connection, models, transaction

    class Owner(models.Model):
        name = models.CharField(max_length=40, unique=True)

        class Meta:
            app_label, db_table = "shop", "orm_owner"

    class Pet(models.Model):
        name = models.CharField(max_length=40, db_index=True)
        weight = models.DecimalField(max_digits=6, decimal_places=2, null=True)
        born = models.DateTimeField(null=True)
        owner = models.ForeignKey(Owner, models.CASCADE, related_name="pets")

        class Meta:
            app_label, db_table = "shop", "orm_pet"

    with connection.schema_editor() as editor:
        editor.create_model(Owner)
        editor.create_model(Pet)
    ada = Owner.objects.create(name="it's é")
    Pet.objects.bulk_create([Pet(name="a", weight="1.50", owner=ada), Pet(name="b", owner=ada)])
    Pet.objects.filter(owner__name__startswith="it's").update(name=models.functions.Concat("name", models.Value("!")))
    answer: dict[str, Any] = {"rows": [[p.name, str(p.weight), p.owner.name] for p in
                                       Pet.objects.select_related("owner").order_by("name")]}  # fmt: skip
    try:
        with transaction.atomic():
            Pet.objects.filter(name="a!").delete()
            Owner.objects.create(name="it's é")
    except Exception as error:
        answer["error"] = error.args[0]
    answer["count"] = Pet.objects.aggregate(n=models.Count("id"), most=models.Max("weight"))["n"]
    answer["got"] = Owner.objects.get_or_create(name="bob")[1]
    with connection.cursor() as cursor:
        look = connection.introspection
        answer["tables"] = sorted(t.name for t in look.get_table_list(cursor) if t.name.startswith("orm_"))
        answer["columns"] = [[c.name, look.get_field_type(c.type_code, c)] for c in
                             look.get_table_description(cursor, "orm_pet")]  # fmt: skip
        answer["relations"] = look.get_relations(cursor, "orm_pet")
        answer["constraints"] = sorted(look.get_constraints(cursor, "orm_pet"))
        answer["sequences"] = look.get_sequences(cursor, "orm_pet")
    answer["features"] = [connection.features.supports_json_field, connection.mysql_is_mariadb]
    return answer


print(json.dumps({"sqlalchemy": sqlalchemy_, "django": django}[WHICH](), default=str))
