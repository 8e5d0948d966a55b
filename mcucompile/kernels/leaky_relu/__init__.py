"""Kernels of LeakyRelu."""
