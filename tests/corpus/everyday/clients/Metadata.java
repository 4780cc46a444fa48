import java.sql.*;
import java.util.Properties;

/** pgjdbc: what it asks when it connects, all of DatabaseMetaData, and statements as an application makes them. */
public class Metadata {
  interface Ask { ResultSet of() throws SQLException; }

  static void all(Ask... asked) throws SQLException {
    for (Ask ask : asked) try (ResultSet rows = ask.of()) { while (rows.next()) { } }
  }

  public static void main(String[] args) throws SQLException {
    String url = "jdbc:postgresql://127.0.0.1:" + System.getenv("HARVEST_TCP_PORT") + "/" + System.getenv("PGDATABASE");
    Properties with = new Properties();
    with.setProperty("user", "trusting");
    with.setProperty("prepareThreshold", "2");
    with.setProperty("ApplicationName", "everyday");
    try (Connection to = DriverManager.getConnection(url, with)) {
      DatabaseMetaData m = to.getMetaData();
      m.getDatabaseProductVersion(); m.getSQLKeywords(); m.getMaxColumnNameLength();
      m.getStringFunctions(); m.getUserName(); m.getURL();
      String[] kinds = {"TABLE", "VIEW", "MATERIALIZED VIEW", "PARTITIONED TABLE", "SEQUENCE", "INDEX"};
      all(m::getSchemas, m::getCatalogs, m::getTableTypes, m::getTypeInfo, m::getClientInfoProperties,
          () -> m.getSchemas(null, "pub%"),
          () -> m.getTables(null, null, "%", null), () -> m.getTables(null, "public", "order%", kinds),
          () -> m.getColumns(null, "public", "orders", "%"), () -> m.getColumns(null, null, "products", null),
          () -> m.getPrimaryKeys(null, "public", "order_items"), () -> m.getImportedKeys(null, "public", "order_items"),
          () -> m.getExportedKeys(null, "public", "orders"),
          () -> m.getCrossReference(null, "public", "orders", null, "public", "order_items"),
          () -> m.getIndexInfo(null, "public", "products", false, true), () -> m.getIndexInfo(null, "public", "orders", true, false),
          () -> m.getBestRowIdentifier(null, "public", "orders", DatabaseMetaData.bestRowSession, false),
          () -> m.getVersionColumns(null, "public", "orders"), () -> m.getTablePrivileges(null, "public", "orders"),
          () -> m.getColumnPrivileges(null, "public", "orders", "id"), () -> m.getProcedures(null, "public", "%"),
          () -> m.getProcedureColumns(null, "public", "order_count", "%"), () -> m.getFunctions(null, "public", "%"),
          () -> m.getFunctionColumns(null, "public", "%", "%"), () -> m.getUDTs(null, "public", "%", null));
      to.isValid(2);
      to.getSchema();
      try (PreparedStatement find = to.prepareStatement("SELECT id, status, home, tags FROM orders JOIN customers c USING (id) JOIN products USING (id) WHERE id < ? ORDER BY id")) {
        ResultSetMetaData described = find.getMetaData();
        for (int n = 1; n <= described.getColumnCount(); n++) {
          described.getTableName(n); described.isAutoIncrement(n); described.isNullable(n); described.getColumnTypeName(n);
        }
        for (int n = 0; n < 4; n++) { find.setInt(1, 3); all(find::executeQuery); }
      }
      try (PreparedStatement add = to.prepareStatement("INSERT INTO categories (name) VALUES (?)", Statement.RETURN_GENERATED_KEYS)) {
        add.setString(1, "from Java"); add.executeUpdate(); all(add::getGeneratedKeys);
      }
      to.setAutoCommit(false);
      try (PreparedStatement many = to.prepareStatement("INSERT INTO counters (key, hits) VALUES (?, ?)")) {
        for (int n = 0; n < 3; n++) { many.setString(1, "java " + n); many.setInt(2, n); many.addBatch(); }
        many.executeBatch();
      }
      Savepoint here = to.setSavepoint("here");
      try (Statement s = to.createStatement()) { s.executeUpdate("DELETE FROM counters"); }
      to.rollback(here);
      try (PreparedStatement slow = to.prepareStatement("SELECT id, placed, total FROM orders WHERE placed > ? AND status = ?::order_status ORDER BY id")) {
        slow.setFetchSize(10);
        slow.setTimestamp(1, Timestamp.valueOf("2024-02-01 00:00:00")); slow.setString(2, "paid");
        all(slow::executeQuery);
      }
      try (PreparedStatement in = to.prepareStatement("SELECT name FROM products WHERE id = ANY (?) ORDER BY id")) {
        in.setArray(1, to.createArrayOf("int8", new Object[] {1L, 2L})); all(in::executeQuery);
      }
      try (CallableStatement call = to.prepareCall("{? = call upper(?)}")) {
        call.registerOutParameter(1, Types.VARCHAR); call.setString(2, "x"); call.execute();
      }
      to.commit();
      to.setReadOnly(true);
      to.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
      try (Statement s = to.createStatement()) {
        all(() -> s.executeQuery("SELECT 1 FROM orders WHERE {fn lcase(note)} = 'note 1' AND placed < {ts '2030-01-01 00:00:00'}"));
      }
      to.rollback();
      to.setClientInfo("ApplicationName", "other");
    }
  }
}
