"""What the program runs on: cores and boards."""
