"""Prove a memory plan with OR-tools' CP-SAT solver: the only importer of ortools, an optional package."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType
from typing import Any

from mcucompile.errors import CompileError

from .conflicts import conflicts_of
from .memory import MemoryPlan, Problem


def prove_with_ortools(problem: Problem, plan: MemoryPlan, effort: float = 60.0) -> MemoryPlan:
    """The plan, proved optimal or replaced by a smaller one where CP-SAT finds it within `effort`.

    `effort` is in the solver's own deterministic seconds, and one worker is used, so that the result does not depend
    on the machine. Raises CompileError E0503 if ortools is not installed.
    """
    if plan.optimal or not problem.buffers:
        return plan
    cp_model = _import_cp_model()
    model, places = _model(cp_model, problem, plan)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 1
    solver.parameters.max_deterministic_time = effort
    status = solver.solve(model)
    # Without a solution there is nothing to bound: the given plan already was one, so this is a time-out.
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return plan
    lower_bound = max(plan.lower_bound, round(solver.best_objective_bound))
    offsets = {b.name: int(solver.value(at)) for b, at in zip(problem.buffers, places, strict=True)}
    arena_nbytes = max(offsets[b.name] + b.nbytes for b in problem.buffers)
    if arena_nbytes >= plan.arena_nbytes:
        return replace(plan, lower_bound=lower_bound, optimal=plan.arena_nbytes <= lower_bound)
    return MemoryPlan(offsets, arena_nbytes, lower_bound, arena_nbytes <= lower_bound)


def _import_cp_model() -> ModuleType:
    try:
        from ortools.sat.python import cp_model
    except ImportError as missing:
        raise CompileError(
            "E0503", "proving a memory plan needs OR-tools", fix="pip install mcucompile[plan]"
        ) from missing
    return cp_model  # type: ignore[no-any-return, unused-ignore]


def _model(cp_model: Any, problem: Problem, plan: MemoryPlan) -> tuple[Any, list[Any]]:
    """Minimize the arena; each place is alignment times a variable; one of a pair's two or three ways holds."""
    model, conflicts, places = cp_model.CpModel(), conflicts_of(problem), []
    arena = model.new_int_var(plan.lower_bound, plan.arena_nbytes, "arena")
    for b in problem.buffers:
        unit = model.new_int_var(0, (plan.arena_nbytes - b.nbytes) // b.alignment, b.name)
        model.add_hint(unit, plan.offsets[b.name] // b.alignment)
        model.add(unit * b.alignment + b.nbytes <= arena)
        places.append(unit * b.alignment)
    for i, j, up, down, same in conflicts.pairs:
        i_is_below, j_is_below = model.new_bool_var(""), model.new_bool_var("")
        model.add(places[j] >= places[i] + up).only_enforce_if(i_is_below)
        model.add(places[i] >= places[j] + down).only_enforce_if(j_is_below)
        ways = [i_is_below, j_is_below]
        if same:
            ways.append(model.new_bool_var(""))
            model.add(places[i] == places[j]).only_enforce_if(ways[-1])
        model.add_bool_or(ways)
    model.minimize(arena)
    return model, places
