"""Who did what: append-only records in hash chains, which anybody with the key can check.

`records` says what a record holds and how it is chained, `trail` writes, `verify` checks. No card data.
"""
