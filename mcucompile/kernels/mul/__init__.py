"""Kernels of Mul."""
