"""The values that adapters and gateway share: they know themselves, and nothing runs here."""
