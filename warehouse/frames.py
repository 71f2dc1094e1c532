"""Query results as pandas frames: the only module here that needs pandas, and slow to import for it."""

from typing import Any

import pandas as pd

from warehouse.store import Warehouse

DTYPES: dict[str, str] = {
    "BOOLEAN": "boolean",
    "INTEGER": "Int32",
    "BIGINT": "Int64",
    "DOUBLE": "Float64",
    "VARCHAR": "string",
    "JSON": "string",
    "TIMESTAMP WITH TIME ZONE": "datetime64[us, UTC]",
}
"""pandas type by DuckDB type: they keep NULL apart from 0, empty text and NaN. Others are `object`."""


def frame(warehouse: Warehouse, query_name: str, **params: Any) -> pd.DataFrame:
    """Rows of a named query as a frame; NULL is `pd.NA` (`NaT` for times), never 0 and never NaN.

    Raises:
        QueryError: unknown query, or a parameter missing or unknown.
    """
    columns, rows = warehouse.columns_and_rows(query_name, **params)
    return pd.DataFrame(
        {
            name: pd.Series([row[i] for row in rows], dtype=DTYPES.get(kind, "object"))
            for i, (name, kind) in enumerate(columns)
        }
    )
