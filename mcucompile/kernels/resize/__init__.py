"""Kernels of Resize."""
