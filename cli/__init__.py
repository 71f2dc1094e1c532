"""The bakeoff command, one file per verb."""
