"""The console: a page on which people find what is stuck, see why, and end it.

A caller like any other: whatever it shows or does is a call of our own services, made under the identity of
whoever signed in. Nothing here decides about money, and nothing here is loaded where the console is off.
"""
