"""The report of an audit: a page with figures, and the same as JSON."""
