"""Validates requests and converts between protobuf messages and values. Decides nothing."""
