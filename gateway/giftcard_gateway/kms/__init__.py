"""Key services (KMS): they keep the key that ours are wrapped with, and open ours at a start."""
