"""The report as one HTML page that needs nothing beside it: templates, style and script lie here."""
