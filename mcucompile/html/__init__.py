"""Self-contained HTML pages of compiled networks."""

from .comparison import comparison_html, less_important, places_table, variants_table
from .file import check_beside, check_page, fresh_page, write_page
from .page import report_html

__all__ = [
    "check_beside", "check_page", "comparison_html", "fresh_page", "less_important", "places_table", "report_html",
    "variants_table", "write_page",
]  # fmt: skip
