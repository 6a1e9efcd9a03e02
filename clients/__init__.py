"""The clients of every language; `python -m clients` builds and tests them."""
