import math
import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from reports.charts.placement import Box, Wanted, place
from reports.charts.scales import Scale, around, from_zero, linear_ticks
from reports.charts.scatter import Axes, Point, scatter
from reports.charts.svg import fitted, text, width_of
from reports.charts.thinning import extremes
from reports.charts.timelines import Memory, Stage, memory_timeline

FRAME = Box(0.0, 0.0, 800.0, 400.0)
AXES = Axes("Quality against TTFT", "TTFT (ms)", "Quality", "")

finite = st.floats(min_value=1e-3, max_value=1e7, allow_nan=False)
labels = st.builds(
    Wanted,
    x=st.floats(0, 800),
    y=st.floats(0, 400),
    width=st.floats(10, 260),
    height=st.sampled_from([14.0, 28.0]),
)


@given(st.lists(labels, max_size=25))
def test_labels_cover_neither_each_other_nor_a_mark_nor_the_edge(wanted):
    boxes = [box for box in place(wanted, FRAME, point_radius=6.0) if box]
    marks = [Box(w.x - 6, w.y - 6, w.x + 6, w.y + 6) for w in wanted]
    for index, box in enumerate(boxes):
        assert box.inside(FRAME)
        assert not any(box.overlaps(mark) for mark in marks)
        assert not any(box.overlaps(other) for other in boxes[index + 1 :])


def test_a_lone_label_always_finds_its_place():
    assert place([Wanted(400.0, 200.0, 120.0, 14.0)], FRAME, point_radius=6.0)[0]


@given(st.lists(finite, min_size=1, max_size=30))
def test_scales_keep_the_order_and_stay_inside(values):
    for scale in (
        from_zero(values, 10.0, 500.0),
        around([v / 1e7 for v in values], 10.0, 500.0, least=0.2, bounds=(0.0, 1.0)),
    ):
        inside = sorted(v for v in values if scale.low <= v <= scale.high)
        pixels = [scale(v) for v in inside]
        assert pixels == sorted(pixels)
        assert all(10.0 - 1e-6 <= scale(v) <= 500.0 + 1e-6 for v in values)
        ticks = scale.ticks(5)
        assert ticks == sorted(set(ticks))
        assert all(scale.low - 1e-6 * abs(scale.high) <= t <= scale.high * (1 + 1e-6) for t in ticks)


def test_values_that_differ_much_get_a_log_scale_and_others_start_at_zero():
    assert from_zero([1.0, 500.0], 0.0, 1.0).log
    assert from_zero([100.0, 500.0], 0.0, 1.0).low == 0.0
    assert not from_zero([], 0.0, 1.0).log


@given(st.floats(-1e4, 1e4), st.floats(0.01, 1e6), st.integers(2, 12))
def test_ticks_are_evenly_spaced_round_numbers(low, span, wanted):
    ticks = linear_ticks(low, low + span, wanted)
    assert len(ticks) <= 2 * wanted + 1
    steps = {round((b - a) / span, 4) for a, b in pairwise(ticks)}
    assert len(steps) <= 1


@given(st.lists(st.tuples(st.floats(0, 1000), st.floats(0, 1000)), max_size=300), st.integers(1, 40))
def test_thinning_keeps_order_and_both_extremes(points, slices):
    ordered = sorted(points)
    kept = extremes(ordered, slices=slices)
    assert len(kept) <= max(2 * slices, 0) or len(points) <= 2 * slices
    assert kept == sorted(kept, key=lambda p: p[0])
    assert set(kept) <= set(ordered)
    if ordered:
        assert max(p[1] for p in kept) == max(p[1] for p in ordered)
        assert min(p[1] for p in kept) == min(p[1] for p in ordered)


@given(st.text(min_size=1, max_size=80), st.floats(20, 300))
def test_fitted_text_fits(words, width):
    cut = fitted(words, width)
    assert cut == "…" or width_of(cut) <= width


def test_korean_takes_more_room_than_latin():
    assert width_of("가나다") > width_of("abc")


def test_scatter_names_each_cell_and_joins_only_the_leading_ones():
    points = [
        Point("fast", "", 10.0, 0.5, True),
        Point("good", "", 90.0, 0.9, True),
        Point("beaten", "", 95.0, 0.6, False),
    ]
    svg, unnamed = scatter(points, AXES, width=1000.0)
    assert unnamed == 0
    assert all(f">{name}</text>" in svg for name in ("fast", "good", "beaten"))
    front = re.search(r'<polyline points="([^"]+)" class="front"', svg)
    assert front
    assert len(front[1].split()) == 4


def test_scatter_escapes_names():
    svg, _ = scatter([Point("<b>x</b>", '"', 1.0, 0.5, True)], AXES, width=344.0)
    assert "<b>" not in svg


def test_svg_text_is_escaped():
    assert "<script>" not in text(0, 0, "<script>", 'a" onload="x')
    assert 'onload="x"' not in text(0, 0, "x", 'a" onload="x')


def test_memory_line_does_not_bridge_what_was_not_measured():
    readings = [(0.0, 100.0), (1.0, 200.0), (2.0, None), (3.0, 300.0), (4.0, 300.0)]
    cell = Memory("m", readings, [Stage("load_model", 0.0, 2.0), Stage("load_test", 2.0, 4.0)])
    svg = memory_timeline(cell, width=500.0, top_mib=300.0, span_s=4.0, axis="s")
    assert svg.count('class="trace"') == 2
    assert ">load_test</text>" in svg


def test_scale_clamps_what_lies_beyond_its_ends():
    scale = Scale(0.0, 10.0, 0.0, 100.0)
    assert scale(math.inf) == 100.0
    assert scale(-5.0) == 0.0
