"""mcucompile: trained ONNX networks to bit-exact C for Cortex-M."""

__version__ = "0.1.0"
