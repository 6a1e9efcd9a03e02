"""The names of metadata by which a call says for whom it is made; commands send them, `acting` reads them."""

from __future__ import annotations

TENANT = "giftcard-tenant"
"""Names the tenant to act for, where it is not the caller's own."""
EVERY_TENANT = "*"
"""What stands for all of them there; no tenant has that name."""
REASON = "giftcard-reason"
"""Tells the audit why a person does something."""
PERSON = "giftcard-person"
"""Tells the audit who typed a command."""
