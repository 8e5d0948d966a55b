"""Kernels of Requantize."""
