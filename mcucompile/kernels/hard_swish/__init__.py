"""Kernels of HardSwish."""
