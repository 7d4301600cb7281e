"""The report: tables, figures, pages and contact sheets, from arrays and figures in memory."""
