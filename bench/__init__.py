"""Bench measures: clock, arrivals, prompts, driver and the records they give."""
