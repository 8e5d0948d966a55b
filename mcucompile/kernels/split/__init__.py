"""Kernels of Split."""
