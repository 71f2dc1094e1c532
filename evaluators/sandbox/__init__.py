"""The isolated execution of code that a model wrote."""
