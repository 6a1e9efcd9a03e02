"""The errors callers can get, and what keeps the program from its work, as two trees.
