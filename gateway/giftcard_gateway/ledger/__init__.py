"""Transactions as values, and the rules about money as pure functions. Start reading here."""
