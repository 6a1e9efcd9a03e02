"""What every client must agree about, as data."""
