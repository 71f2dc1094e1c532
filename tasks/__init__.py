"""Tasks wrap: one file per stage; each task calls one function, logs one line, returns a summary."""
