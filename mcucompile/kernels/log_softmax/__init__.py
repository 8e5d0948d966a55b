"""Kernels of LogSoftmax."""
