"""Mutation testing: how many small faults, put into the code one at a time, the tests notice.

    python bench/mutants.py [--sample N] [--seed N] [--list] [MODULE ...]

A mutant changes one place of a module: a comparison, an operator, a number, a condition, the order of two
arguments, or it leaves a statement out. Messages of errors are not changed. For each mutant the tests that
run the changed function, of those named for its module in TESTS, run in a forked process until one fails.
Tests marked slow are not run. What survives is printed, to be read: a mutant may mean the same as the code.
"""

from __future__ import annotations

import argparse
import ast
import copy
import gc
import json
import os
import random
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any

os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # a process with threads must not fork

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "bakeoff"

TESTS = {
    "evaluation/beyond": (
        "evaluation/test_beyond",
        "evaluation/test_formulas",
        "evaluation/test_metrics_oracles",
    ),
    "evaluation/catalogue": (
        "evaluation/test_catalogue",
        "evaluation/test_measure",
        "queries/test_conventions",
    ),
    "evaluation/conventions": ("evaluation/test_conventions", "evaluation/test_formulas"),
    "evaluation/expected_best": ("evaluation/test_expected_best",),
    "evaluation/measure": ("evaluation/test_measure", "evaluation/test_catalogue"),
    "evaluation/ranking": ("evaluation/test_ranking", "evaluation/test_formulas"),
    "evaluation/rating": ("evaluation/test_rating", "evaluation/test_formulas"),
    "evaluation/significance": (
        "evaluation/test_significance",
        "evaluation/test_combined",
        "queries/test_pairs",
    ),
    "evaluation/stats": ("evaluation/test_stats", "evaluation/test_formulas", "evaluation/test_beyond"),
    "evaluation/topk": ("evaluation/test_topk", "evaluation/test_measure"),
    "evaluation/variance": (
        "evaluation/test_variance",
        "evaluation/test_combined",
        "queries/test_uncertainty",
    ),
    **{
        f"splits/{name}": ("splits/test_split_families", "splits/test_split_properties", *more)
        for name, more in {
            "base": ("splits/test_split_base",),
            "by_row": (),
            "chronological": (),
            "held_out_users": (),
            "kfold": (),
            "leave_last_out": (),
            "per_user": (),
            "predefined": ("splits/test_predefined",),
            "temporal": (),
        }.items()
    },
    "tuning/pruning": ("tuning/test_pruning",),
}
"""Tests of each module."""

# -- mutants -----------------------------------------------------------------------------------------

_PAIRS = (
    *((ast.Lt, ast.LtE), (ast.Gt, ast.GtE), (ast.Eq, ast.NotEq), (ast.In, ast.NotIn), (ast.Is, ast.IsNot)),
    *((ast.And, ast.Or), (ast.BitAnd, ast.BitOr), (ast.Add, ast.Sub), (ast.Mult, ast.Div)),
)
_OPERATORS: dict[type[ast.AST], type[ast.AST]] = {
    **{a: b for pair in _PAIRS for a, b in (pair, pair[::-1])},
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Add,
    ast.Pow: ast.Mult,
    ast.MatMult: ast.Mult,
}
_NAMES = {"min": "max", "max": "min", "any": "all", "all": "any", "minimum": "maximum", "maximum": "minimum"}


@dataclass(frozen=True)
class Mutant:
    """One changed node, which is a field of its parent, or an item of a field."""

    parent: ast.AST
    field: str
    index: int | None
    node: ast.AST
    line: int

    def compiled(self, tree: ast.Module, path: Path) -> CodeType:
        """Return the code of the module with the change; the tree is as it was."""
        before = getattr(self.parent, self.field)
        after: Any = self.node
        if self.index is not None:
            after = [*before[: self.index], self.node, *before[self.index + 1 :]]
        setattr(self.parent, self.field, after)
        try:
            return compile(ast.fix_missing_locations(tree), str(path), "exec", dont_inherit=True)
        finally:
            setattr(self.parent, self.field, before)

    def __str__(self) -> str:
        owner = self.parent if isinstance(self.parent, ast.expr | ast.keyword) else self.node
        changed = copy.copy(owner)
        if owner is self.parent:
            value: Any = self.node
            if self.index is not None:
                value = list(getattr(owner, self.field))
                value[self.index] = self.node
            setattr(changed, self.field, value)
        return ast.unparse(changed)


def mutants(tree: ast.Module) -> Iterator[Mutant]:
    """Yield every mutant of a module's functions, and of the numbers outside of them."""
    todo: list[tuple[ast.AST, int, bool]] = [(tree, 0, False)]
    while todo:
        parent, line, in_function = todo.pop()
        line = getattr(parent, "lineno", line)
        in_function |= isinstance(parent, ast.FunctionDef)
        for field, value in ast.iter_fields(parent):
            if field in _DECLARATIONS and not isinstance(parent, ast.Call):
                continue
            for index, node in enumerate(value) if isinstance(value, list) else [(None, value)]:
                if not isinstance(node, ast.AST) or isinstance(node, _LEFT_OUT):
                    continue
                if isinstance(node, ast.keyword) and node.arg == "strict":
                    continue
                if not in_function and isinstance(node, ast.Call):
                    continue
                for changed in _changes(node) if in_function or _is_number(node) else ():
                    at = getattr(node, "lineno", line)
                    yield Mutant(parent, field, index, ast.copy_location(changed, node), at)
                if isinstance(parent, ast.ClassDef) and isinstance(node, ast.AnnAssign):
                    continue  # a default is in the code that dataclasses writes
                if not isinstance(node, ast.Raise):  # its message
                    todo.append((node, line, in_function))


_DECLARATIONS = ("annotation", "returns", "decorator_list", "bases", "args", "keywords")
_LEFT_OUT = (ast.JoinedStr, ast.Import, ast.ImportFrom)
_COMMUTATIVE = ("min", "max", "minimum", "maximum", "gcd", "array_equal")


def _is_number(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) in (int, float)


def _changes(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what a node is changed into."""
    if type(node) in _OPERATORS:
        yield _OPERATORS[type(node)]()
    match node:
        case ast.Constant(value=bool() as flag):
            yield ast.Constant(not flag)
        case ast.Constant(value=int() | float() as number):
            yield ast.Constant(number + 1)
        case ast.Name(id=name) if name in _NAMES:
            yield ast.Name(_NAMES[name], ast.Load())
        case ast.Attribute(attr=name) if name in _NAMES:
            yield ast.Attribute(node.value, _NAMES[name], ast.Load())
        case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.Invert()):
            yield node.operand
        case ast.IfExp():
            yield ast.IfExp(node.test, node.orelse, node.body)
        case ast.If(test=test) if not isinstance(test, ast.Compare):
            yield ast.If(ast.UnaryOp(ast.Not(), test), node.body, node.orelse)
        case ast.Call(args=[first, second, *rest]) if (
            not _commutes(node.func) and type(first) is not ast.Starred
        ):
            yield ast.Call(node.func, [second, first, *rest], node.keywords)
        case ast.Expr(value=ast.Call()) | ast.AugAssign() | ast.Raise() | ast.Continue() | ast.Break():
            yield ast.Pass()


def _commutes(function: ast.expr) -> bool:
    return getattr(function, "attr", getattr(function, "id", "")) in _COMMUTATIVE


# -- running tests on them ---------------------------------------------------------------------------


class Session:
    """A plug-in of pytest: it runs the collected tests once for each mutant of a module."""

    def __init__(self, module: str, sample: int, seed: int, *, only_list: bool) -> None:
        self.path = SOURCE / f"{module}.py"
        self.tree = ast.parse(self.path.read_text(encoding="utf-8"))
        everything = list(mutants(self.tree))
        chosen = random.Random(f"{seed} {module}").sample(everything, min(sample, len(everything)))
        self.mutants = sorted(chosen, key=lambda m: m.line)
        self.module, self.only_list = module, only_list

    def pytest_configure(self, config: pytest.Config) -> None:
        """Let Hypothesis find failures, always the same, and not make them smaller."""
        from hypothesis import HealthCheck, Phase, settings

        for mark in ("slow", "long", "real_data"):
            config.addinivalue_line("markers", mark)

        phases, checks = (Phase.explicit, Phase.generate), list(HealthCheck)
        settings.register_profile(
            "mutants",
            phases=phases,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=checks,
        )
        settings.load_profile("mutants")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """End where a file of tests cannot be imported."""
        if report.failed:
            raise SystemExit(f"{self.module}: {report.longreprtext}")

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Take the place of pytest's loop over the tests."""
        if self.only_list:
            print(*map(self._text, self.mutants), sep="\n")
            return True
        seconds, callers = self._undisturbed(session.items)
        killed, start = 0, time.monotonic()
        for mutant in self.mutants:
            tests = self._tests_of(mutant, [i for i in session.items if i.nodeid in seconds], callers)
            tests.sort(key=lambda item: seconds[item.nodeid])
            limit = 10 + 5 * sum(seconds[item.nodeid] for item in tests)
            dead = _in_fork(lambda m=mutant, t=tests: self._run(m, t), limit) != 0
            killed += dead
            if not dead:
                print(f"{self._text(mutant)}  ({len(tests)} tests)", flush=True)
        n = len(self.mutants)
        print(f"| {self.module} | {n} | {killed} | {time.monotonic() - start:.0f} s |", flush=True)
        return True

    def _text(self, mutant: Mutant) -> str:
        line = self.path.read_text(encoding="utf-8").splitlines()[mutant.line - 1]
        return f"{self.module}:{mutant.line}: {line.strip()}  ->  {mutant}"

    def _undisturbed(self, items: list[pytest.Item]) -> tuple[dict[str, float], dict[str, set[str]]]:
        """Return the seconds of each test, and the tests that run each line at which a function begins."""
        reader, writer = os.pipe()

        def measure() -> int:
            calls: dict[str, set[str]] = defaultdict(set)
            seconds = {}
            for item in items:
                lines: set[str] = set()

                def note(frame: FrameType, event: str, _: object, lines: set[str] = lines) -> None:
                    if event == "call" and frame.f_code.co_filename == str(self.path):
                        lines.add(str(frame.f_code.co_firstlineno))

                start = time.monotonic()
                sys.setprofile(note)
                failed = _run_test(item, items)
                sys.setprofile(None)
                if failed:
                    os.write(2, f"{item.nodeid} fails without a mutant, and is left out\n".encode())
                    continue
                seconds[item.nodeid] = time.monotonic() - start
                for line in lines:
                    calls[line].add(item.nodeid)
            with os.fdopen(writer, "w") as file:
                json.dump([seconds, {line: sorted(tests) for line, tests in calls.items()}], file)
            return 0

        child = _fork(measure)
        os.close(writer)
        with os.fdopen(reader) as file:
            text = file.read()
        os.waitpid(child, 0)
        seconds, calls = json.loads(text)
        return seconds, {line: set(tests) for line, tests in calls.items()}

    def _tests_of(
        self, mutant: Mutant, items: list[pytest.Item], callers: dict[str, set[str]]
    ) -> list[pytest.Item]:
        """Return the tests that run the function of a mutant; all for what no function holds."""
        functions = [
            f for f in ast.walk(self.tree) if isinstance(f, ast.FunctionDef) and _holds(f, mutant.line)
        ]
        if not functions:
            return list(items)
        outer = min(functions, key=lambda f: f.lineno)
        first = min([outer.lineno, *(d.lineno for d in outer.decorator_list)])
        # The first test that asks for a fixture of a module makes it for all of its file: then all are run.
        own = callers.get(str(first), set())
        files = {name.partition("::")[0] for name in own}
        shared = {file for file in files if _shares_fixtures(items, file)}
        return [i for i in items if i.nodeid in own or i.nodeid.partition("::")[0] in shared]

    def _run(self, mutant: Mutant, tests: list[pytest.Item]) -> int:
        self._install(mutant)
        return int(any(_run_test(item, tests) for item in tests))

    def _install(self, mutant: Mutant) -> None:
        """Put the code of a mutant in the place of the module's: in every function, and in its numbers."""
        code = mutant.compiled(self.tree, self.path)
        new = {(c.co_qualname, c.co_firstlineno): c for c in _codes(code)}
        for function in gc.get_objects():
            if isinstance(function, FunctionType) and function.__code__.co_filename == str(self.path):
                place = function.__code__.co_qualname, function.__code__.co_firstlineno
                if place in new:
                    function.__code__ = new[place]
        if not any(isinstance(f, ast.FunctionDef) and _holds(f, mutant.line) for f in ast.walk(self.tree)):
            name = "bakeoff." + self.module.replace("/", ".")
            space: dict[str, Any] = {**vars(sys.modules[name])}
            exec(code, space)  # noqa: S102 - our own source, with one change
            for statement in self.tree.body:
                if isinstance(statement, ast.Assign | ast.AnnAssign) and _holds(statement, mutant.line):
                    for target in ast.walk(statement):
                        if isinstance(target, ast.Name) and isinstance(target.ctx, ast.Store):
                            setattr(sys.modules[name], target.id, space[target.id])


def _holds(node: ast.AST, line: int) -> bool:
    first, last = getattr(node, "lineno", 0), getattr(node, "end_lineno", 0)
    return bool(first <= line <= last)


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


def _shares_fixtures(items: list[pytest.Item], file: str) -> bool:
    infos = [getattr(i, "_fixtureinfo", None) for i in items if i.nodeid.partition("::")[0] == file]
    fixtures = (f for info in infos if info for same in info.name2fixturedefs.values() for f in same)
    return any(fixture.scope == "module" for fixture in fixtures)


def _run_test(item: pytest.Item, items: list[pytest.Item]) -> bool:
    """Run a test and return whether it failed."""
    from _pytest.runner import runtestprotocol

    last = item is items[-1]
    reports = runtestprotocol(item, log=False, nextitem=None if last else items[items.index(item) + 1])
    return any(report.failed for report in reports)


def _fork(work: Any) -> int:
    """Fork a process without output that ends with what the work returns."""
    child = os.fork()
    if not child:
        code = 1
        try:
            nowhere = os.open(os.devnull, os.O_RDWR)
            os.dup2(nowhere, 1)
            os.setsid()
            code = work()
        finally:
            os._exit(code)
    return child


def _in_fork(work: Any, seconds: float) -> int:
    """Return the exit code of a forked process, -9 after a time limit."""
    child, deadline = _fork(work), time.monotonic() + seconds
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return -signal.SIGKILL
        time.sleep(0.01)


def main() -> None:
    """Print the survivors and a table of mutants and killed ones."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("modules", nargs="*", metavar="MODULE", help="as in evaluation/stats; all of TESTS")
    options.add_argument("--sample", type=int, default=25, help="mutants of a module")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--list", action="store_true", help="print the mutants, run nothing")
    arguments = options.parse_args()
    for module in arguments.modules or TESTS:
        child = os.fork()  # each module in a process of its own
        if not child:
            session = Session(module, arguments.sample, arguments.seed, only_list=arguments.list)
            files = [str(ROOT / "tests" / f"{name}.py") for name in TESTS[module]]
            words = [
                "-c",
                os.devnull,
                f"--rootdir={ROOT}",
                "-o",
                f"pythonpath={ROOT / 'tests'}",
                "-W",
                "error",
            ]
            words += ["--import-mode=importlib", "-p", "no:terminal", "-m", "not slow and not long"]
            pytest.main([*words, *files], plugins=[session])
            sys.stdout.flush()
            os._exit(0)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
