"""The console command: verbs, their help, and one line for every error."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bakeoff import __version__, helptext
from bakeoff.errors import ConfigError, UsageError, nearest
from bakeoff.helptext import HYDRA_VERBS, VERBS

if TYPE_CHECKING:
    from bakeoff.evaluation.significance import TestConfig

RULES = tuple(f"statistics.{knob}" for knob in ("test", "correction", "resamples", "seed", "confidence"))


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    0: done; 1: a cell failed; 2: the command, the configuration or the data were wrong; 130: interrupted.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        return _dispatch(words)
    except UsageError as error:
        return _wrong(str(error))
    except KeyboardInterrupt:
        sys.stderr.write(
            "bakeoff: interrupted; what is done is stored, the same command goes on from there\n"
        )
        return 130
    except BrokenPipeError:  # the reader of our output (head, less) has seen enough
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - the interpreter flushes it at exit
        return 0
    except OSError as error:  # a folder that cannot be written, a full disk; what lacks a path is no user's
        if error.filename is None:
            raise
        return _wrong(f"{os.fspath(error.filename)}: {error.strerror}")


def _wrong(message: str) -> int:
    """Say what was wrong in one line; names from data cannot steer the terminal."""
    line = " ".join(message.split())
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
    sys.stderr.write(f"bakeoff: {line}\n")
    return 2


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        _say(helptext.overview())
        return 0
    if words[0] == "--version":
        _say(f"bakeoff {__version__}")
        return 0
    verb, rest = words[0], words[1:]
    if verb not in VERBS:
        raise ConfigError(f"{verb!r} is not a command; {nearest(verb, VERBS)}")
    if any(w in ("-h", "--help") for w in rest):
        _say(helptext.of(verb))
        return 0
    if verb in HYDRA_VERBS:
        return _hydra(verb, rest)
    others = {
        "report": _report,
        "export": _export,
        "compare": _compare,
        "recommend": _recommend,
        "verify": _verify,
    }
    return {**others, "completion": _completion}[verb](rest)


def _hydra(verb: str, words: list[str]) -> int:
    from bakeoff.config import compose

    return compose.main(verb, [w for w in words if w not in ("-m", "--multirun")])


def _report(words: list[str]) -> int:
    from bakeoff import commands
    from bakeoff.evaluation.catalogue import metric_paths

    names, options = _split(words, "report", ("k", "metrics", "results_dir", "name", "mlflow", *RULES))
    name = _one_name(names, options, "report")
    for key in ("k", "metrics"):
        if key in options and not _list(options[key]):
            raise ConfigError(f"report: {key}={options[key]} names none; give some, or leave it out")
    ks = None if "k" not in options else [_whole("k", k) for k in _list(options["k"])]
    metrics = None if "metrics" not in options else metric_paths(_list(options["metrics"]))
    results, mlflow = Path(options.get("results_dir", "results")), options.get("mlflow")
    return commands.report(name, results, ks, metrics, _rules(options), mlflow)


def _export(words: list[str]) -> int:
    from bakeoff import commands
    from bakeoff.queries import params_from

    for flag in ("to", "preset"):
        words = _flag_as_option(words, f"--{flag}", flag)
    names, options = _split(words, "export", ("to", "preset", "results_dir", "name"))
    target, results = _one_name(names, options, "export"), Path(options.get("results_dir", "results"))
    if "to" not in options and "preset" not in options:
        raise ConfigError("export: no folder to write to; give one as --to DIR")
    if "preset" in options:
        params_from.write(target, Path(options["preset"]), results)
    return commands.export(target, Path(options["to"]), results) if "to" in options else 0


def _compare(words: list[str]) -> int:
    from bakeoff import compare
    from bakeoff.evaluation.catalogue import metric_paths

    for flag in ("gate", "tolerance"):
        words = _flag_as_option(words, f"--{flag}", flag)
    known = ("name", "dataset", "split", "k", "metrics", "gate", "tolerance", "users", "results_dir")
    names, given = _split(words, "compare", (*known, *RULES))
    if len(names) != 2:
        raise ConfigError(f"compare: expected two names, got {len(names)}; see bakeoff compare --help")
    if "tolerance" in given and "gate" not in given:
        raise ConfigError("compare: tolerance= is of a gate; give one as --gate ndcg@10")
    question = compare.Question(
        a=names[0],
        b=names[1],
        results=Path(given.get("results_dir", "results")),
        name=given.get("name"),
        dataset=given.get("dataset"),
        split=given.get("split"),
        gate=given.get("gate"),
        ks=tuple(_whole("k", k) for k in _list(given.get("k", ""))),
        metrics=metric_paths(_list(given.get("metrics", ""))),
        tolerance=_number("tolerance", given.get("tolerance", "0")),
        users=_whole("users", given.get("users", "3")),
        rules=_rules(given, test="randomization"),
    )
    return compare.run(question)


def _recommend(words: list[str]) -> int:
    from bakeoff import commands
    from bakeoff.queries.recommend import Question
    from bakeoff.queries.select import CellFilter

    for flag in ("user", "items", "similar-to", "format", "to"):
        words = _flag_as_option(words, f"--{flag}", flag)
    about, whole = ("user", "items", "similar-to"), ("split_seed", "fold", "seed")
    known = (*about, "k", "models", "dataset", "split", *whole, "tune", "format", "to", "results_dir", "name")
    names, given = _split(words, "recommend", known)
    name = _one_name(names, given, "recommend")
    if len([a for a in about if a in given]) != 1:
        raise ConfigError("recommend: expected one of --user ID, --items A,B,C and --similar-to ITEM")
    items = None if "items" not in given else tuple(_fields(given["items"]))
    if items == ():
        raise ConfigError(f"recommend: --items {given['items']!r} names no item; expected --items A,B,C")
    question = Question(given.get("user"), items, given.get("similar-to"), _whole("k", given.get("k", "10")))
    seeds = {w: _whole(w, given[w]) if w in given else None for w in whole}
    which = CellFilter(
        given.get("dataset"),
        given.get("split"),
        given.get("models", ""),
        seeds["split_seed"],
        seeds["fold"],
        seeds["seed"],
        given.get("tune"),
    )
    results, to = Path(given.get("results_dir", "results")), given.get("to")
    return commands.recommend(
        name, results, question, which, given.get("format"), None if to is None else Path(to)
    )


def _verify(words: list[str]) -> int:
    from bakeoff import commands

    names, given = _split(words, "verify", ("references", "results_dir", "name"))
    name = _one_name(names, given, "verify")
    references = None if "references" not in given else _list(given["references"])
    return commands.verify(name, Path(given.get("results_dir", "results")), references)


def _completion(words: list[str]) -> int:
    from bakeoff import completion

    _say(completion.answer(words))
    return 0


def _split(words: list[str], verb: str, known: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    names, options = [], {}
    for word in words:
        key, equals, value = word.partition("=")
        if (not equals or "(" in key) and not word.startswith("-"):
            names.append(word)
        elif key not in known or not equals:
            raise ConfigError(f"{verb}: {word!r} is not an option; {nearest(key, known)}")
        elif not value:
            raise ConfigError(f"{verb}: {key}= has no value; give one, or leave it out")
        else:
            options[key] = value
    return names, options


def _one_name(names: list[str], options: dict[str, str], verb: str) -> str:
    found = [*names, *([options["name"]] if "name" in options else [])]
    if len(found) != 1:
        raise ConfigError(f"{verb}: expected one name, got {len(found)}; see bakeoff {verb} --help")
    return found[0]


def _flag_as_option(words: list[str], flag: str, key: str) -> list[str]:
    """`--to DIR` and `--to=DIR` as `to=DIR`; `--to` without a value as `to=`, which is refused."""
    found: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == flag:
            found.append(f"{key}={next(rest, '')}")
        else:
            found.append(word.replace(f"{flag}=", f"{key}=", 1) if word.startswith(f"{flag}=") else word)
    return found


def _list(text: str) -> list[str]:
    return [part.strip() for part in text.strip().strip("[]").split(",") if part.strip()]


def _fields(text: str) -> list[str]:
    """Fields between commas; one that holds a comma stands in double quotes."""
    import csv

    return [field for field in next(csv.reader([text], skipinitialspace=True), []) if field.strip()]


def _whole(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ConfigError(f"{name}={text!r}: expected a whole number") from None


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ConfigError(f"{name}={text!r}: expected a number") from None


def _rules(given: dict[str, str], **unless_told: str) -> TestConfig:
    """How models are compared: as configured, with what the command says of it."""
    from bakeoff import config_files
    from bakeoff.evaluation.significance import TestConfig

    told: dict[str, Any] = {}
    for key in RULES:
        knob = key.partition(".")[2]
        if key in given:
            read = {"resamples": _whole, "seed": _whole, "confidence": _number}.get(knob)
            told[knob] = read(key, given[key]) if read is not None else given[key]
    return TestConfig(**{**config_files.statistics(), **unless_told, **told})


def _say(text: str) -> None:
    sys.stdout.write(text.rstrip("\n") + "\n")
