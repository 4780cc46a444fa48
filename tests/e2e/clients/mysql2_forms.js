// One connection with npm's mysql2; what came of each step, as one JSON object, as mysql_forms.py does.
//
// node mysql2_forms.js ADDRESS CA     CA: a file with the CA of the client leg's certificate, or `off` for no TLS
const fs = require("fs");
const net = require("net");
const mysql = require("mysql2/promise");

const [address, ca] = process.argv.slice(2);
const READ = "SELECT owner FROM accounts WHERE id = 1";
const DENIED = "DROP TABLE accounts";

async function main() {
  const ssl = ca === "off" ? undefined : { ca: fs.readFileSync(ca), rejectUnauthorized: true, verifyIdentity: true };
  const connection = await mysql.createConnection({
    host: "shop.lab.test", // it verifies names only: of an address it asks for `localhost`
    stream: () => net.connect(3306, address), user: "anybody", password: "a-placeholder", database: "shop", rowsAsArray: true,
    compress: true, multipleStatements: true, ssl,
  });
  const rows = async (sql) => (await connection.query(sql))[0];
  const answer = { read: await rows(READ) };
  await connection.beginTransaction();
  await rows("INSERT INTO scratch VALUES (7, 'kept')");
  await rows(DENIED).catch((error) => { answer.denied = [error.errno, error.sqlMessage]; });
  answer.within = await rows("SELECT count(*) FROM scratch WHERE id = 7");
  await connection.rollback();
  answer.after = await rows("SELECT count(*) FROM scratch WHERE id = 7");
  answer.prepared = [];
  for (const id of [1, 2]) {
    answer.prepared.push(...(await connection.execute("SELECT id, owner FROM accounts WHERE id = ?", [id]))[0]);
  }
  answer.call = (await rows("SELECT 1; SELECT 2")).flat();
  answer.big = (await rows("SELECT REPEAT('x', 20000000)"))[0][0].length;
  await connection.changeUser({ user: "other", password: "another", database: "mysql" });
  answer.change_user = (await rows("SELECT DATABASE()"))[0][0];
  await connection.ping();
  const cipher = await rows("SHOW STATUS LIKE 'Compression'");
  answer.compressed = cipher[0][1];
  answer.encrypted = Boolean(connection.connection.stream.encrypted);
  await connection.end();
  console.log(JSON.stringify(answer));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
