"""Kernels of BinaryMaxPool."""
