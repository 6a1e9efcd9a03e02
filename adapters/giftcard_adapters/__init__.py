"""The provider adapters, one package each, and the values that they share with the gateway.

This package knows HTTP and the providers' APIs. It imports nothing of gRPC, the journal or the
gateway.
"""
