"""Kernels of Quantize."""
