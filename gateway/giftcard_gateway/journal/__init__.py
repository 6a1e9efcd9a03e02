"""Where transactions are written down: the contract every store keeps, and the stores."""
