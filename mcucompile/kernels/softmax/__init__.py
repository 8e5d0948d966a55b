"""Kernels of Softmax."""
