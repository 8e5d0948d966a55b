"""Kernels of Dense."""
