"""Kernels of ReduceMean."""
