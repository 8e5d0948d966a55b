"""Kernels of Affine."""
