"""Kernels of Tanh."""
