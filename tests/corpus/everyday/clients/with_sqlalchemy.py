"""SQLAlchemy: what it asks when it starts, all of its inspector, reflection, and an ORM at work."""

from __future__ import annotations

import datetime
import os
import sys
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.dialects import postgresql as pg


def engine(driver: str) -> sa.Engine:
    return sa.create_engine(f"postgresql+{driver}://", connect_args={"host": os.environ["PGHOST"]})


def introspect(made: sa.Engine) -> None:
    seen = sa.inspect(made)
    seen.get_schema_names()
    seen.get_sequence_names()
    seen.get_enums()
    seen.get_domains()
    seen.get_materialized_view_names()
    seen.get_temp_table_names()
    for schema in (None, "tpch"):
        tables = seen.get_table_names(schema=schema)
        seen.get_view_names(schema=schema)
        for table in tables[:2]:
            seen.has_table(table, schema=schema)
            seen.get_columns(table, schema=schema)
            seen.get_pk_constraint(table, schema=schema)
            seen.get_foreign_keys(table, schema=schema)
            seen.get_indexes(table, schema=schema)
            seen.get_unique_constraints(table, schema=schema)
            seen.get_check_constraints(table, schema=schema)
            seen.get_table_comment(table, schema=schema)
            seen.get_table_options(table, schema=schema)
    seen.get_view_definition("order_totals")
    seen.get_multi_columns(kind=sa.engine.reflection.ObjectKind.ANY)
    seen.has_sequence("invoice_number")
    sa.MetaData().reflect(made)
    sa.MetaData().reflect(made, schema="tpch", views=True)


class Base(orm.DeclarativeBase):
    pass


class Category(Base):
    __tablename__ = "categories"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    name: orm.Mapped[str]
    parent: orm.Mapped[int | None] = orm.mapped_column(sa.ForeignKey("categories.id"))
    products: orm.Mapped[list[Product]] = orm.relationship(back_populates="of")


class Product(Base):
    __tablename__ = "products"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    category: orm.Mapped[int] = orm.mapped_column(sa.ForeignKey("categories.id"))
    name: orm.Mapped[str]
    price: orm.Mapped[Decimal]
    tags: orm.Mapped[list[str]] = orm.mapped_column(pg.ARRAY(sa.Text))
    details: orm.Mapped[dict] = orm.mapped_column(pg.JSONB)
    of: orm.Mapped[Category] = orm.relationship(back_populates="products")


class Invoice(Base):
    __tablename__ = "invoices"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    issued: orm.Mapped[datetime.date] = orm.mapped_column(server_default=sa.func.current_date())
    amount: orm.Mapped[Decimal] = orm.mapped_column(sa.Numeric(12, 2))
    __table_args__ = (sa.CheckConstraint("amount > 0"), sa.Index("invoices_issued", "issued"))


def work(made: sa.Engine) -> None:
    Base.metadata.create_all(made)
    with orm.Session(made) as session:
        novels = Category(name="sagas", parent=1)
        novels.products = [
            Product(name=f"saga {n}", price=Decimal(n), tags=["new"], details={"pages": n}) for n in (1, 2, 3)
        ]
        session.add(novels)
        session.commit()
        for found in session.scalars(sa.select(Product).where(Product.name.like("saga%")).order_by(Product.id)):
            found.price += 1
        session.commit()
        session.scalars(sa.select(Category).options(orm.selectinload(Category.products)).order_by(Category.id)).all()
        session.scalars(sa.select(Category).options(orm.joinedload(Category.products))).unique().all()
        session.execute(
            sa.select(Product.category, sa.func.count(), sa.func.avg(Product.price)).group_by(Product.category)
        )
        session.scalars(sa.select(Product).order_by(Product.id).limit(5).offset(10)).all()
        session.scalars(sa.select(Product).where(Product.tags.contains(["all"])).order_by(Product.id)).all()
        session.scalars(sa.select(Product).where(Product.details["pages"].astext.cast(sa.Integer) > 50)).all()
        session.execute(sa.select(sa.exists().where(Product.id == 1)))
        rank = sa.func.rank().over(partition_by=Product.category, order_by=Product.price.desc())
        session.execute(sa.select(Product.name, rank.label("place")).order_by(Product.id))
        with session.begin_nested():
            session.add(Invoice(amount=Decimal(5)))
        session.execute(sa.insert(Invoice).returning(Invoice.id, Invoice.amount), [{"amount": n} for n in (1, 2, 3)])
        session.execute(
            sa.update(Invoice).where(Invoice.id == 1).values(amount=Invoice.amount * 2).returning(Invoice.amount)
        )
        upsert = pg.insert(Invoice).values(id=1, amount=9)
        session.execute(upsert.on_conflict_do_update(index_elements=["id"], set_={"amount": upsert.excluded.amount}))
        session.execute(sa.delete(Invoice).where(Invoice.amount > 2).returning(Invoice.id))
        tree = sa.select(Category.id, Category.parent).where(Category.parent.is_(None)).cte("tree", recursive=True)
        tree = tree.union_all(sa.select(Category.id, Category.parent).join(tree, Category.parent == tree.c.id))
        session.execute(sa.select(tree))
        session.delete(novels.products[0])
        session.rollback()
    Base.metadata.tables["invoices"].drop(made)


introspect(engine(sys.argv[1]))
for name in sys.argv[1:]:
    work(engine(name))
