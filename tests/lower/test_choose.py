"""The choice of kernels against trying all combinations."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_views import CORE, conv, image, network

from mcucompile.ir import Graph, Node, verify
from mcucompile.kernels.conv2d.direct import Direct
from mcucompile.lower.choose import Candidate, Choice, cheapest, choose, least_flash, scale_of, total, undominated
from mcucompile.lower.goal import SIZE, SPEED, Goal, Scale, Weights
from mcucompile.lower.lower import lower
from mcucompile.ops.window import Window
from mcucompile.target.cores import CORES, Isa

KERNEL = Direct()
Table = list[list[Candidate]]


def candidate(cycles: float, constants: int, code: str, live: int) -> Candidate:
    return Candidate(KERNEL, cycles, ((code, 100 * len(code)), (object(), constants)), live)


def tables(codes: str, shared: bool) -> st.SearchStrategy[Table]:
    """A few nodes with a few candidates each; functions are shared between nodes or not."""
    one = st.builds(candidate, st.integers(1, 50), st.integers(0, 300), st.sampled_from(list(codes)), st.integers(1, 9))
    rows = st.lists(st.lists(one, min_size=1, max_size=3), min_size=1, max_size=4)
    return rows if shared else rows.map(apart)


def apart(table: Table) -> Table:
    return [
        [candidate(c.cycles, c.parts[1][1], f"{k}.{j}", c.live_nbytes) for j, c in enumerate(row)]
        for k, row in enumerate(table)
    ]


def nodes_of(table: Table) -> tuple[Any, ...]:
    return tuple(object() for _ in table)


def weights_of(table: Table, goal: Goal) -> Weights:
    return Weights.of(goal, scale_of(table))


def best_of_all(table: Table, goal: Goal) -> float:
    weights, nodes = weights_of(table, goal), nodes_of(table)
    choices = [Choice(nodes, combination) for combination in product(*table)]
    allowed = [c for c in choices if goal.ram_limit is None or c.ram_nbytes <= goal.ram_limit]
    return min(total(c, weights) for c in allowed or choices)


@given(tables("a", shared=False), st.sampled_from([SPEED, SIZE]))
@settings(deadline=None)
def test_the_best_of_all_combinations_where_no_function_is_shared(table: Table, goal: Goal) -> None:
    weights = weights_of(table, goal)
    found = cheapest(nodes_of(table), table, goal, weights)
    assert total(found, weights) == pytest.approx(best_of_all(table, goal))


@given(tables("abc", shared=True), st.sampled_from([SPEED, SIZE]))
@settings(deadline=None)
def test_sharing_never_makes_it_worse_than_every_node_alone(table: Table, goal: Goal) -> None:
    weights = weights_of(table, goal)
    found = cheapest(nodes_of(table), table, goal, weights)
    assert total(found, weights) <= total(cheapest(nodes_of(table), apart(table), goal, weights), weights) + 1e-9


def test_a_byte_of_flash_weighs_an_eighth_of_one_of_ram_or_more() -> None:
    few, many = Weights.of(SIZE, Scale(1e6, 300_000, 1_000)), Weights.of(SIZE, Scale(1e6, 20_000, 40_000))
    assert few.ram / few.flash == pytest.approx(8)
    assert many.ram / many.flash == pytest.approx(0.5 * 20_000 / 40_000)


@given(tables("ab", shared=True), st.integers(1, 9))
@settings(deadline=None)
def test_a_limit_of_ram_is_kept_where_it_can_be(table: Table, limit: int) -> None:
    goal = Goal(1.0, 0.0, 0.0, ram_limit=limit)
    found = cheapest(nodes_of(table), table, goal, weights_of(table, goal))
    least = max(min(c.live_nbytes for c in row) for row in table)
    assert found.ram_nbytes <= max(limit, least)


@given(tables("ab", shared=True))
@settings(deadline=None)
def test_no_combination_needs_less_flash_than_the_least(table: Table) -> None:
    nodes = nodes_of(table)
    assert least_flash(table) <= min(Choice(nodes, c).flash_nbytes for c in product(*table)) + 1e-6


@given(tables("a", shared=False))
@settings(deadline=None)
def test_the_least_flash_is_reached_where_nothing_is_shared(table: Table) -> None:
    nodes = nodes_of(table)
    assert least_flash(table) == min(Choice(nodes, c).flash_nbytes for c in product(*table))


@given(tables("abc", shared=True))
@settings(deadline=None)
def test_nothing_that_could_win_is_left_out(table: Table) -> None:
    for row in table:
        kept = list(undominated(row, shared=()))
        assert kept
        for c in row:
            assert any(
                d.cycles <= c.cycles and d.flash_nbytes <= c.flash_nbytes and d.live_nbytes <= c.live_nbytes
                for d in kept
            )


def test_live_memory_is_what_the_planner_finds() -> None:
    """The peak that the choice counts with is the lower bound of the plan, or below it by what alignment costs."""
    graph = network()
    for goal in (SPEED, SIZE):
        choice = choose(graph, CORE, Isa.DSP, goal)
        program = lower(graph, CORE, Isa.DSP, choice.kernel_of)
        assert choice.ram_nbytes <= program.arena_lower_bound + 8
        assert program.arena_lower_bound <= choice.ram_nbytes + 64


def test_size_needs_less_than_speed() -> None:
    graph = network()
    fast, small = (choose(graph, CORE, Isa.DSP, goal) for goal in (SPEED, SIZE))
    assert small.flash_nbytes <= fast.flash_nbytes
    assert fast.cycles <= small.cycles


def test_a_flash_budget_is_kept_at_the_cost_of_cycles() -> None:
    graph = network()
    fast, small = (choose(graph, CORE, Isa.DSP, goal) for goal in (SPEED, SIZE))
    budget = (fast.flash_nbytes + small.flash_nbytes) // 2
    mixed = choose(graph, CORE, Isa.DSP, Goal(1.0, 0.0, 0.1, flash_limit=budget))
    assert mixed.flash_nbytes <= budget
    assert mixed.cycles >= fast.cycles


def test_every_node_gets_a_kernel_that_fits() -> None:
    graph = network()
    choice = choose(graph, CORE, Isa.DSP, SPEED)
    for node in graph.nodes:
        kernel = choice.kernel_of(node)
        assert isinstance(node, Node)
        assert kernel.fits(node)
        assert kernel.isa <= Isa.DSP


def test_half_the_flash_is_worth_a_layer_that_is_five_times_slower() -> None:
    """The second layer has most of the weights, of 4 bits, and few of the cycles."""
    first = conv(image("x", 1, 32, 32, 16), "first", 32, Window((3, 3), (4, 4)))
    last = conv(first.output, "last", 32, Window((8, 8)))
    w = last.inputs[1]
    last.inputs[1] = replace(w, const=np.random.default_rng(0).integers(-8, 8, w.shape).astype(np.int8))
    graph = Graph("net", [first.inputs[0]], [last.output], [first, last])
    verify(graph)
    fast, small = (choose(graph, CORES["cortex-m55"], Isa.MVE, goal) for goal in (SPEED, SIZE))
    assert fast.kernel_of(last).encoding == "plain"
    assert small.flash_nbytes <= fast.flash_nbytes - 0.4 * w.size
    assert small.ram_nbytes == fast.ram_nbytes
