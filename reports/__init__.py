"""Reports show: rows in, tables, figures and HTML out; no connection is opened here."""
