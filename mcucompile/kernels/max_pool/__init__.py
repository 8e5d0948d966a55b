"""Kernels of MaxPool."""
