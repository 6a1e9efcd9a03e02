"""What is true of a transaction, as values and pure functions: the rules about money, nothing that runs."""
