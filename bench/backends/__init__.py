"""One file per server kind; the only place that speaks HTTP."""
