"""How a transaction is carried from state to state: written, sent, written, and finished when left open."""
