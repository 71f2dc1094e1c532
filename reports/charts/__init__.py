"""Figures of a report as SVG text: numbers in, markup out; colours are the page's style sheet's."""
