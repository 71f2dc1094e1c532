"""Flows compose: one file per Prefect flow, beside the pure plan and the configuration reader."""
