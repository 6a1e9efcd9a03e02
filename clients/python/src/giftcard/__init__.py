"""The gift card gateway, as its callers see it: the stubs are in `giftcard.v1`."""
