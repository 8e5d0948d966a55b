"""Kernels of Div."""
