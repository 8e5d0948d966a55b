"""Kernels of Slice."""
