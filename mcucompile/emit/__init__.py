"""Program -> C text."""

from .c import emit

__all__ = ["emit"]
