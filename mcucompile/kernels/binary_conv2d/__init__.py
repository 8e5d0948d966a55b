"""Kernels of BinaryConv2d."""
