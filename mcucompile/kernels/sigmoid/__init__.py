"""Kernels of Sigmoid."""
