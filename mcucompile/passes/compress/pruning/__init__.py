"""Structured pruning: which channels go together, which matter least, what makes good for those that went."""
