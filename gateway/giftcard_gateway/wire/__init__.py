"""Between protobuf and the values inside: validation, and the conversion both ways. Decides nothing."""
