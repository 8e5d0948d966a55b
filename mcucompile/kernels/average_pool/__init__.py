"""Kernels of AveragePool."""
