"""Kernels of MatMul."""
