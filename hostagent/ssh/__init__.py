"""What SSH peers ask for, as values: operations, and the parser of the commands that they send. Sans-IO."""
