"""Place labels beside their points so that none covers another, a point, or the edge."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: "Box") -> bool:
        """Whether the two share more than an edge."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )

    def inside(self, other: "Box") -> bool:
        """Whether this one lies within the other."""
        return (
            self.left >= other.left
            and self.top >= other.top
            and self.right <= other.right
            and self.bottom <= other.bottom
        )


@dataclass(frozen=True)
class Wanted:
    """A label of a size for the point at (x, y)."""

    x: float
    y: float
    width: float
    height: float


# Above first: a step to the right of a leading point takes the place beside it. Then beside, then below.
_DIRECTIONS = ((1, -1), (-1, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (0, -1), (0, 1))
_DISTANCES_PX = (9.0, 20.0, 34.0, 52.0, 74.0, 100.0)


def place(
    wanted: Sequence[Wanted], frame: Box, *, point_radius: float, keep_clear: Sequence[Box] = ()
) -> list[Box | None]:
    """A place for each label, in order of importance; None where no free place was found.

    Args:
        wanted: the labels; earlier ones choose first.
        frame: where labels may be.
        point_radius: half the size of a mark that no label may cover.
        keep_clear: more rectangles that no label may cover.

    Returns:
        One box or None for each label; boxes overlap neither each other, nor a mark, nor the edge.
    """
    marks = [
        Box(w.x - point_radius, w.y - point_radius, w.x + point_radius, w.y + point_radius) for w in wanted
    ]
    taken = [*marks, *keep_clear]
    placed: list[Box | None] = []
    for label in wanted:
        free = (box for box in _candidates(label) if box.inside(frame) and not any(map(box.overlaps, taken)))
        chosen = next(free, None)
        placed.append(chosen)
        if chosen is not None:
            taken.append(chosen)
    return placed


def leader(
    point: Wanted, box: Box, *, longer_than: float
) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """The line from a point to its label, None if the label is so near that none is needed."""
    x = min(max(point.x, box.left), box.right)
    y = min(max(point.y, box.top), box.bottom)
    far = ((x - point.x) ** 2 + (y - point.y) ** 2) ** 0.5
    return None if far <= longer_than else ((point.x, point.y), (x, y))


def _candidates(label: Wanted) -> list[Box]:
    boxes = []
    for distance in _DISTANCES_PX:
        for dx, dy in _DIRECTIONS:
            reach = distance if not (dx and dy) else distance * 0.85
            cx = label.x + dx * (reach + label.width / 2)
            cy = label.y + dy * (reach + label.height / 2)
            boxes.append(
                Box(
                    cx - label.width / 2,
                    cy - label.height / 2,
                    cx + label.width / 2,
                    cy + label.height / 2,
                )
            )
    return boxes
