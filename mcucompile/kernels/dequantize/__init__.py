"""Kernels of Dequantize."""
