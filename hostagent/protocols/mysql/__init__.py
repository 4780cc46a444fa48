"""The MySQL and MariaDB client/server protocol, sans-IO."""
