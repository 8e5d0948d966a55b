"""What a network does channel by channel: which values a channel may hold, and which channels matter to its outputs."""
