"""Kernels of Concat."""
