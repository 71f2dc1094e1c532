"""The warehouse remembers: landing, ingest, schema, views and macros; all SQL of the project."""
