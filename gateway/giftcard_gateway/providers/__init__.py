"""The configured providers: how each is reached, what it can do, and what came of asking it."""
