"""Kernels of Clamp."""
