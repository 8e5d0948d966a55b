"""Kernels of Pad."""
