"""How gift card providers are spoken to: one module per provider, and the values both rooms speak.

This package is a leaf. It knows HTTP and the providers' dialects; it knows nothing of gRPC, the
journal or the gateway, and never imports them.
"""
