"""Kernels of every operator on two operands."""
