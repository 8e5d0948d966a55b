"""Kernels of PackSigns."""
