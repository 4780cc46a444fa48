// Node: pg, Sequelize, TypeORM, Knex and Drizzle: their start, their introspection, models at work.
// The argument is a folder with their node_modules.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
const require = createRequire(process.argv[2] + "/");
const host = process.env.PGHOST, port = +process.env.PGPORT, user = process.env.PGUSER, database = process.env.PGDATABASE;

async function withPg() {
  const { Client } = require("pg");
  const client = new Client({ host, port, user, database });
  await client.connect();
  await client.query("SELECT NOW()");
  await client.query("SELECT id, name FROM categories WHERE id = $1", [1]);
  await client.query({ name: "by-id", text: "SELECT total FROM orders WHERE id = $1", values: [4] });
  await client.query("BEGIN");
  await client.query("INSERT INTO counters (key, hits) VALUES ($1, $2) RETURNING *", ["node", 1]);
  await client.query("COMMIT");
  await client.query("SELECT details FROM products WHERE details @> $1 ORDER BY id", [{ pages: 10 }]);
  await client.end();
}

async function withSequelize() {
  const { Sequelize, DataTypes, Op } = require("sequelize");

  const sequelize = new Sequelize(database, user, "", { host, port, dialect: "postgres", logging: false, dialectOptions: {} });
  await sequelize.authenticate();
  const Shelf = sequelize.define("shelf", { label: { type: DataTypes.STRING, unique: true }, size: DataTypes.INTEGER, kind: DataTypes.CHAR(1), extra: DataTypes.JSONB });
  const Book = sequelize.define("book", { title: DataTypes.STRING });
  Shelf.hasMany(Book); Book.belongsTo(Shelf);
  await sequelize.sync();
  await sequelize.sync({ alter: true });
  const shelf = await Shelf.create({ label: "one", size: 3, kind: "a", extra: { n: 1 } });
  await Shelf.bulkCreate([{ label: "two" }, { label: "three" }], { returning: true });
  await Book.create({ title: "t", shelfId: shelf.id });
  await Shelf.upsert({ label: "one", size: 4 });
  await Shelf.findAll({ include: Book, order: [["id", "ASC"]], limit: 5, offset: 0 });
  await Shelf.findAndCountAll({ where: { size: { [Op.gt]: 2 }, [Op.or]: [{ kind: "a" }, { extra: { n: 1 } }] }, order: ["id"] });
  await Shelf.increment("size", { where: { label: "one" } });
  await Shelf.findAll({ attributes: ["kind", [sequelize.fn("COUNT", sequelize.col("id")), "n"]], group: "kind", order: ["kind"] });
  await sequelize.transaction(async (t) => {
    await Shelf.update({ size: 1 }, { where: { label: "two" }, transaction: t });
    await Shelf.findOne({ where: { label: "two" }, lock: t.LOCK.UPDATE, transaction: t });
  });
  const asked = sequelize.getQueryInterface();
  for (const what of ["showAllTables", "showAllSchemas"]) await asked[what]();
  await asked.describeTable("orders"); await asked.showIndex("orders"); await asked.getForeignKeyReferencesForTable("orders");
  await Shelf.destroy({ where: { label: "three" } });
  await Book.drop({}); await Shelf.drop({});
  await sequelize.close();
}

async function withTypeorm() {
  const { DataSource, EntitySchema } = require("typeorm");
  const Part = new EntitySchema({
    name: "Part", tableName: "machine_parts",
    columns: { id: { type: "int", primary: true, generated: true }, label: { type: "varchar", unique: true }, made: { type: "timestamptz", createDate: true }, sizes: { type: "int", array: true, default: "{}" } },
  });
  const source = new DataSource({ type: "postgres", host, port, username: user, database, entities: [Part], synchronize: true });
  await source.initialize();
  await source.synchronize();
  const parts = source.getRepository(Part);
  await parts.save([{ label: "bolt", made: "2024-01-01" }, { label: "nut", made: "2024-01-02", sizes: [1, 2] }]);
  await parts.findAndCount({ where: { label: "bolt" }, select: { id: true, label: true }, order: { id: "ASC" }, take: 3, skip: 0 });
  await parts.upsert({ label: "bolt", sizes: [3], made: "2024-01-01" }, ["label"]);
  await parts.update({ label: "nut" }, { sizes: [4] });
  await parts.createQueryBuilder("p").select("p.label").where("p.sizes @> :s", { s: [4] }).orderBy("p.id").getMany();
  await source.transaction(async (m) => { await m.delete(Part, { label: "nut" }); });
  const runner = source.createQueryRunner();
  await runner.getTable("orders"); await runner.getTables(["categories"]); await runner.hasTable("orders"); await runner.hasColumn("orders", "id");
  await runner.getDatabases(); await runner.getSchemas(); await runner.getCurrentSchema();
  await runner.dropTable("machine_parts");
  await runner.release(); await source.destroy();
}

async function withKnex() {
  const knex = require("knex")({ client: "pg", connection: { host, port, user, database }, pool: { min: 1, max: 1 } });
  await knex.raw("SELECT 1");
  await knex.schema.hasTable("orders"); await knex.schema.hasColumn("orders", "id"); await knex("orders").columnInfo();
  await knex.schema.createTable("notes", (t) => { t.increments("id"); t.string("text").notNullable().index(); t.integer("of").references("categories.id"); });
  await knex("notes").insert([{ text: "a", of: 1 }, { text: "b" }]).returning(["id", "text"]);
  await knex("notes").insert({ id: 1, text: "c" }).onConflict("id").merge();
  await knex("notes").where("text", "like", "%c%").orWhereNull("of").orderBy("id").limit(2).offset(0).select();
  await knex.with("n", knex("notes").select("id")).from("n").count("* as c").first();
  await knex.transaction(async (t) => { await t("notes").where({ id: 1 }).forUpdate().first(); await t("notes").where({ id: 1 }).update({ text: "d" }, ["id"]); await t.transaction(async (u) => u("notes").del()); });
  await knex("notes").truncate(); await knex.schema.alterTable("notes", (t) => t.boolean("done").defaultTo(false)); await knex.schema.dropTable("notes");
  await knex.destroy();
}

async function withDrizzle() {
  const { drizzle } = require("drizzle-orm/node-postgres");
  const { pgTable, serial, text } = require("drizzle-orm/pg-core");
  const { eq, sql, desc } = require("drizzle-orm");
  const { Pool } = require("pg");
  const pool = new Pool({ host, port, user, database, max: 1 });
  const categories = pgTable("categories", { id: serial("id").primaryKey(), name: text("name") });
  const db = drizzle(pool);
  await db.select().from(categories).where(eq(categories.name, "books")).orderBy(desc(categories.id)).limit(3);
  await db.insert(categories).values({ name: "drizzled" }).returning();
  await db.insert(categories).values({ id: 1, name: "all" }).onConflictDoNothing();
  await db.transaction(async (t) => { await t.update(categories).set({ name: sql`upper(${categories.name})` }).where(eq(categories.name, "drizzled")); await t.delete(categories).where(eq(categories.name, "DRIZZLED")).returning({ id: categories.id }); });
  await pool.end();
}

async function withPrisma() {
  const { PrismaPg } = require("@prisma/adapter-pg");
  const engines = await import(require.resolve("@prisma/schema-engine-wasm/schema_engine_bg"));
  const code = readFileSync(require.resolve("@prisma/schema-engine-wasm/schema_engine_bg").replace(/js$/, "wasm"));
  const { instance } = await WebAssembly.instantiate(code, { "./schema_engine_bg.js": engines });
  engines.__wbg_set_wasm(instance.exports);
  instance.exports.__wbindgen_start?.();
  const { bindMigrationAwareSqlAdapterFactory } = require("@prisma/driver-adapter-utils");
  const schema = { path: "schema.prisma", content: 'datasource db {\n  provider = "postgresql"\n}\n' };
  const adapter = bindMigrationAwareSqlAdapterFactory(new PrismaPg({ host, port, user, database }));
  const engine = await engines.SchemaEngine.new({ datamodels: [["schema.prisma", schema.content]] }, () => {}, adapter);
  await engine.introspect({ schema: { files: [schema] }, baseDirectoryPath: "/", force: true, compositeTypeDepth: 0, namespaces: null });
  await engine.version({});
}

for (const work of [withPg, withSequelize, withTypeorm, withKnex, withDrizzle, withPrisma]) {
  try { await work(); } catch (e) { console.error(work.name, e.message ?? e); }
}
process.exit(0);
