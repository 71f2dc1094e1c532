"""Fewer points for the same picture: of each slice of time keep the lowest and the highest."""

from collections.abc import Sequence

Point = tuple[float, float]


def extremes(points: Sequence[Point], *, slices: int) -> list[Point]:
    """At most `2 * slices` of the points, in order, with every peak and trough of the picture kept.

    Points must be ascending in their first coordinate. Few points come back as they are.
    """
    if len(points) <= 2 * slices:
        return list(points)
    first, last = points[0][0], points[-1][0]
    span = (last - first) or 1.0
    kept: list[Point] = []
    slice_of_points: list[Point] = []
    current = 0
    for point in points:
        index = min(slices - 1, int((point[0] - first) / span * slices))
        if index != current and slice_of_points:
            kept += _low_and_high(slice_of_points)
            slice_of_points = []
        current = index
        slice_of_points.append(point)
    return kept + _low_and_high(slice_of_points)


def _low_and_high(points: Sequence[Point]) -> list[Point]:
    low = min(range(len(points)), key=lambda i: points[i][1])
    high = max(range(len(points)), key=lambda i: points[i][1])
    return [points[i] for i in sorted({low, high})]
