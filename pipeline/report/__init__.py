"""The report: tables, figures, pages and contact sheets."""
