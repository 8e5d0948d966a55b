"""Kernels of HardSigmoid."""
