"""Kernels of Transpose."""
