"""Structured pruning: which channels go together, which of them matter least, and what makes good for those that went."""
