"""Kernels of Max and Min."""
