"""The command line: commands, their options, and one line for every error.

An option is written `--results-dir DIR`, `--results-dir=DIR` or, as an override of Hydra, `results_dir=DIR`.
"""

from __future__ import annotations

import errno
import functools
import itertools
import math
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
from click.shell_completion import CompletionItem

from bakeoff import completion, config_files, log
from bakeoff._version import __version__
from bakeoff.errors import ConfigError, Terminated, UsageError, check_choice, check_one_name, nearest
from bakeoff.secret import SecretUrl, without_credentials

if TYPE_CHECKING:
    from bakeoff.config.overrides import CommandLine
    from bakeoff.evaluation.significance import TestConfig
    from bakeoff.queries.select import CellFilter

# A forked process starts OpenBLAS's threads anew; by default they spin for 20 ms when they have no work.
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")

KEY_VALUE = re.compile(r"([A-Za-z_][\w.\-]*)=(.*)", re.DOTALL)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    0: done; 1: a cell failed; 2: the command, the configuration or the data were wrong; 130: interrupted;
    143: terminated.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    main_thread = threading.current_thread() is threading.main_thread()  # no other may set a handler
    before = signal.signal(signal.SIGTERM, _terminate) if main_thread else None
    try:
        if shell := os.environ.get("_BAKEOFF_COMPLETE"):
            return _print(completion.answer(bakeoff, shell, os.environ.get("COMP_LINE", "")))
        return _invoke(words)
    except UsageError as error:
        return _refuse(str(error))
    except KeyboardInterrupt as interrupt:
        sys.stderr.write("bakeoff: interrupted; finished cells are stored, the same command continues\n")
        return 143 if isinstance(interrupt, Terminated) else 130
    except BrokenPipeError:  # the reader of our output (head, less) has seen enough
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - the interpreter flushes it at exit
        return 0
    except OSError as error:  # a folder that cannot be written; without a path a disk, or else a bug
        if error.filename is None and error.errno not in _OF_A_DISK:
            raise
        return _refuse(f"{os.fspath(error.filename or 'a file')}: {error.strerror}")
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)


def _terminate(*_: object) -> NoReturn:
    raise Terminated


def _invoke(words: list[str]) -> int:
    if words[:1] == ["help"]:
        words = [*words[1:], "--help"]
    try:
        with _plain_errors(), bakeoff.make_context("bakeoff", words or ["--help"]) as context:
            return int(bakeoff.invoke(context) or 0)
    except click.exceptions.Exit as done:
        return done.exit_code


@contextmanager
def _plain_errors() -> Iterator[None]:
    try:
        yield
    except click.UsageError as error:
        raise ConfigError(_one_line(error)) from error


_OF_A_DISK = (errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Errors of reading and writing an open file, which come without its name."""


def _refuse(message: str) -> int:
    """Print the message in one line; names from data can neither steer the terminal nor fill it."""
    line = without_credentials(" ".join(message.split()))
    line = re.sub(r"\S{400,}", lambda word: f"{word[0][:60]}...", line)
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
    sys.stderr.write(f"bakeoff: {line}\n")
    return 2


def _one_line(error: click.UsageError) -> str:
    """Return click's refusal of a command in our words."""
    if isinstance(error, click.exceptions.NoSuchCommand):
        return f"{error.command_name!r} is not a command; {nearest(error.command_name, bakeoff.commands)}"
    command = error.ctx.command if error.ctx is not None else bakeoff
    prefix = "" if command is bakeoff else f"{command.name}: "
    if isinstance(error, click.NoSuchOption):
        options = [flag for flag in _options(command, error.ctx) if flag.startswith("--")]
        return _no_option(command, error.option_name, options)
    if isinstance(error, click.MissingParameter) and error.param is not None:
        missing = error.param.make_metavar(error.ctx or click.Context(command))
        return f"{prefix}expected {missing}; see bakeoff {command.name} --help"
    if isinstance(error, click.BadOptionUsage):
        return f"{prefix}{error.option_name}: no value; give one as {error.option_name} VALUE"
    message = error.format_message().rstrip(".")
    return f"{prefix}{message[0].lower()}{message[1:]}"


def _no_option(command: click.Command, word: str, options: Iterable[str]) -> str:
    """Return a message for a word that is no option of a command, with what to write in its place."""
    if command is bakeoff:
        return f"{word!r}: options follow the command, as in bakeoff run {word}"
    key = word.lstrip("-")
    if isinstance(command, HydraCommand) and "." in key:
        return f"{command.name}: {word!r} is not an option; write {key.partition('=')[0]}=VALUE"
    hint = nearest(word.partition("=")[0], options).partition("? ")
    there = f"{hint[0]}? See bakeoff {command.name} --help" if hint[1] else hint[0]
    return f"{command.name}: {word!r} is not an option; {there}"


def _options(command: click.Command, context: click.Context | None) -> dict[str, click.Option]:
    """Return the options of a command by the flags that are written for them."""
    parameters = command.get_params(context or click.Context(command))
    return {flag: p for p in parameters if isinstance(p, click.Option) for flag in p.opts}


def _print(text: str) -> int:
    sys.stdout.write(text.rstrip("\n") + "\n")
    return 0


# -- values of options ---------------------------------------------------------------------------------

Offer = Callable[[click.Context], Sequence[str]]


class Value(click.ParamType[Any]):
    """The value of an option: how its text is read, and what a shell offers for it.

    Args:
        name: what help calls it.
        read: returns the value of (key, text).
        offer: the texts that complete it; of a list, the texts of one entry.
        several: the text is a list between commas.
    """

    def __init__(
        self,
        name: str,
        read: Callable[[str, str], Any] = lambda key, text: text,
        offer: Offer | None = None,
        *,
        several: bool = False,
    ) -> None:
        self.name, self._read, self._offer, self._several = name, read, offer, several

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        key = "" if param is None else _key(param)
        if not value:
            command = "" if ctx is None else f"{ctx.command.name}: "
            raise ConfigError(f"{command}{key}= has no value; give one, or leave it out")
        return self._read(key, value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        before, comma, last = incomplete.rpartition(",") if self._several else ("", "", incomplete)
        texts = self._offer(ctx) if self._offer is not None else ()
        return [CompletionItem(f"{before}{comma}{text}") for text in texts if text.startswith(last)]


def _key(param: click.Parameter) -> str:
    """Return a parameter as it is written in `key=value`."""
    return param.opts[0].lstrip("-").replace("-", "_")


def _integer(key: str, text: str) -> int:
    if not re.fullmatch(r"\s*[+-]?\d+\s*", text):
        raise ConfigError(f"{key}={text!r}: expected a whole number")
    return int(text)


def _number(key: str, text: str) -> float:
    try:
        if math.isfinite(number := float(text)):
            return number
    except ValueError:
        pass
    raise ConfigError(f"{key}={text!r}: expected a number")


def _list(key: str, text: str) -> list[str]:
    """Return the entries of a list, at least one."""
    if not (entries := _entries(key, text)):
        raise ConfigError(f"{key}={text}: expected at least one entry")
    return entries


def _entries(key: str, text: str) -> list[str]:
    """Return what stands between commas, where a comma inside of brackets or quotes separates nothing."""
    text = text.strip()
    text = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    entries = [entry.strip() for entry in re.findall(_ENTRY, text)]
    return [e[1:-1] if len(e) > 1 and e[0] == e[-1] and e[0] in "'\"" else e for e in entries if e]


_ENTRY = r"""(?:\([^()]*\)|\[[^\[\]]*\]|"[^"]*"|'[^']*'|[^,])+"""


def _integers(key: str, text: str) -> list[int]:
    return [_integer(key, entry) for entry in _list(key, text)]


def _quoted_entries(key: str, text: str) -> tuple[str, ...]:
    """Return the fields of a CSV row: one that holds a comma stands in double quotes."""
    import csv

    entries = [field for field in next(csv.reader([text], skipinitialspace=True), []) if field.strip()]
    if not entries:
        raise ConfigError(f"{key}={text!r}: expected at least one entry, as in {key}=A,B,C")
    return tuple(entries)


def _metric_paths(key: str, text: str) -> dict[str, str]:
    from bakeoff.evaluation.catalogue import metric_paths

    return metric_paths(_list(key, text))


def _metric_names() -> list[str]:
    from bakeoff.evaluation.catalogue import shipped

    return [*config_files.options("metrics"), *shipped()]


def _path(key: str, text: str) -> Path:
    return Path(text)


TEXT, INTEGER, NUMBER = Value("TEXT"), Value("N", _integer), Value("X", _number)
DIR, FOLDER, FILE = Value("DIR"), Value("DIR", _path), Value("FILE", _path)
ADDRESS = Value("URL", SecretUrl.of)
INTEGERS = Value("N,N,...", _integers, several=True)
EXPERIMENT = Value("NAME", offer=lambda ctx: completion.experiments(_results_dir(ctx)))
METRICS = Value("A,B,...", _metric_paths, lambda ctx: _metric_names(), several=True)


def _stored(what: str, *, several: bool = False) -> Value:
    """Return the value of an option that names something which an experiment has: a model, a split, ..."""

    def offer(context: click.Context) -> list[str]:
        return completion.stored_names(_results_dir(context), _experiment_name(context), what)

    return Value("A,B,..." if several else "NAME", offer=offer, several=several)


def _one_of(choices: Sequence[str]) -> Callable[[str, str], str]:
    def read(key: str, text: str) -> str:
        check_choice(key, text, choices)
        return text

    return read


def _choice(*choices: str) -> Value:
    return Value("|".join(choices), _one_of(choices), lambda ctx: choices)


LISTED = ("models", "datasets", "splits", "metrics", "presets", "experiments")
SHOWN = ("model", "dataset", "split", "tune", "metric", "preset", "experiment")


def _kind(key: str, text: str) -> str:
    """Return a kind of entry; the plural is understood."""
    kind = text.removesuffix("s")
    if kind not in SHOWN and (groups := config_files.groups_with(text)):
        raise ConfigError(f"show: {text!r} is no kind; write bakeoff show {groups[0]} {text}")
    return _one_of(SHOWN)(key, kind if kind in SHOWN else text)


def _kinds(key: str, text: str) -> str:
    """Return a kind of entries; the singular is understood."""
    return _one_of(LISTED)(key, text if text in LISTED or f"{text}s" not in LISTED else f"{text}s")


def _results_dir(context: click.Context) -> Path:
    return Path(context.params.get("results_dir") or "results")


def _experiment_name(context: click.Context) -> str | None:
    """Return the experiment that a command line names so far."""
    words = context.params.get("names") or ()
    return context.params.get("name") or (words[0] if words and context.command.name != "compare" else None)


# -- commands ------------------------------------------------------------------------------------------


class Command(click.Command):
    """A command whose options may be written as `key=value` too."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, with its messages on standard error and in the log file."""
        options = ctx.params
        quiet, verbose, file = (options.pop(name) for name in ("quiet", "verbose", "log"))
        if isinstance(self, HydraCommand):
            options["quiet"] = quiet
        with log.messages(quiet=quiet, verbose=verbose, file=file):
            try:
                if {"names", "name"} <= set(options) and self.name != "compare":
                    name = options["name"]
                    names = [*options.pop("names"), *([] if name is None else [name])]
                    options["name"] = check_one_name(str(self.name), names)
                if "split_seed" in options:
                    options["cells"] = _cell_filter(
                        {name: options.pop(name) for name in CELLS if name in options}
                    )
                if statistics := [name for name in options if name.startswith("statistics_")]:
                    options["test_config"] = _test_config({name: options.pop(name) for name in statistics})
                return super().invoke(ctx)
            except UsageError as error:
                log.to_file(error)
                raise

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, list(self._flags(ctx, args)))

    def _flags(self, ctx: click.Context, words: Sequence[str]) -> Iterator[str]:
        """Yield the words with each `key=value` as `--key=value`; what follows `--` is left as it is."""
        flags = {flag for flag, option in _options(self, ctx).items() if not option.is_flag}
        keys = {flag.lstrip("-").replace("-", "_"): flag for flag in flags}
        rest = iter(words)
        for word in rest:
            if word == "--":
                yield from (word, *rest)
            elif word.startswith("--"):
                yield (flag := _with_dashes(word))
                if flag in flags:
                    yield from itertools.islice(rest, 1)  # the option's value, whatever it looks like
            elif match := KEY_VALUE.fullmatch(word):
                key = match[1].replace("-", "_")
                if key in keys:
                    yield f"{keys[key]}={match[2]}"
                elif not ctx.resilient_parsing:
                    raise ConfigError(_no_option(self, word, keys))
            else:
                yield word

    def words(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the completions of a word without dashes: names, keys, or the values of a key."""
        options = {_key(o): o for o in _options(self, ctx).values() if not o.is_flag}
        if match := KEY_VALUE.fullmatch(incomplete):
            option = options.get(match[1].replace("-", "_"))
            values = option.shell_complete(ctx, match[2]) if option is not None else []
            return [CompletionItem(f"{match[1]}={item.value}") for item in values]
        keys = [CompletionItem(f"{key}=") for key in options if key.startswith(incomplete)]
        return [*param.type.shell_complete(ctx, param, incomplete), *keys]


def _with_dashes(word: str) -> str:
    """Return `--results_dir=DIR` as `--results-dir=DIR`; other words as they are."""
    flag, equals, value = word.partition("=")
    return flag.replace("_", "-") + equals + value if word.startswith("--") else word


class HydraCommand(Command):
    """A command that takes Hydra's overrides; the groups and keys of `config.yaml` are its options."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        *parameters, help_option = super().get_params(ctx)
        return [*parameters, *_config_options(), help_option]

    def _flags(self, ctx: click.Context, words: Sequence[str]) -> Iterator[str]:
        """Yield the words as they are: an override keeps Hydra's grammar."""
        return map(_with_dashes, words)

    def words(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the overrides that begin with a word."""
        path = config_files.search_path(ctx.params.get("config_dirs") or ())
        words = ctx.params.get("overrides") or ()
        return [CompletionItem(t) for t in completion.override_candidates(incomplete, words, path)]


def _config_options() -> list[click.Option]:
    """Return an option for each group and each key of `config.yaml`, with its comment there as help."""
    path = config_files.search_path()

    def option(key: str, value: Value, text: str, *, multiple: bool = False) -> click.Option:
        names = [f"--{key.replace('_', '-')}", f"key_{key}"]
        return click.Option(names, type=value, metavar=value.name, help=text, multiple=multiple)

    def group(key: str, names: Sequence[str]) -> click.Option:
        value = Value("NAME", offer=lambda ctx: names, several=True)
        return option(key, value, f"one or more of: {', '.join(names)}", multiple=True)

    groups = [group(key, config_files.options(key, path)) for key in config_files.groups()]
    return [*groups, *(option(key, TEXT, text) for key, text in config_files.comments().items())]


def _command_line(options: dict[str, Any]) -> CommandLine:
    """Return the options of a HydraCommand as Hydra's words and flags."""
    from bakeoff.config import overrides as hydra_words

    flags = {name: options[name] for name in ("config_name", "cfg", "package") if options[name]}
    recorded = [word for name, value in flags.items() for word in (f"--{name.replace('_', '-')}", value)]
    recorded = [word for path in options["config_dirs"] for word in ("--config-dir", path)] + recorded
    words = []
    for key, value in ((name.removeprefix("key_"), v) for name, v in options.items() if name[:4] == "key_"):
        if key in ("k", "baselines") and value is not None:
            words.append(f"{key}=[{value.strip('[]')}]")
        elif value and isinstance(value, tuple):
            words.append(f"{key}={','.join(value)}")
        elif value:
            words.append(f"{key}={_hydra_value(value)}")
    words += options["overrides"]
    flags |= {"config_dirs": options["config_dirs"], "resolve": options["resolve"]}
    recorded += ["--resolve"] * options["resolve"]
    return hydra_words.command_line(words, words=(*recorded, *words), **flags)


def _hydra_value(text: str) -> str:
    """Return a text as Hydra's grammar reads it: in quotes if it holds more than letters and lists."""
    if re.fullmatch(r"[\w./:@%+,\[\]{}?*$-]*", text, re.ASCII):
        return text
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


class Commands(click.Group):
    """The commands in the order in which they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(
    cls=Commands,
    epilog="""\b
Start here:
  bakeoff run                                     the embedded simulated data, one model and its baselines
  bakeoff list models                             what can be compared; `bakeoff show model als` says more
  bakeoff run model=popularity,als,warp split=random,temporal seed=1,2,3
  bakeoff run dataset=csv dataset.path=plays.csv dataset.user=who dataset.item=what dataset.value=count \\
      model=popularity,itemknn_cosine,als,warp

\b
Exit codes:
  0    every cell done or skipped
  1    a cell failed; verify: something differs; audit: a fault
  2    the command, the configuration or the data were wrong: one line says what
  130  interrupted
  compare --gate: 0 promoted, 3 rejected, 4 undecided""",
    context_settings={"max_content_width": 110, "help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="bakeoff", message="%(prog)s %(version)s")
def bakeoff() -> None:
    """Compare recommenders for implicit feedback on equal terms: which ranks best on your log."""


def _command(
    *options: Any,
    kind: type[Command] = Command,
    call: Callable[[str, dict[str, Any]], int] | None = None,
    name: str | None = None,
) -> Callable[[Callable[[], None]], click.Command]:
    """Return a decorator that makes a command of its options and of a function `NAME_command` with its help.

    Args:
        call: gets NAME and the values of the options; by default they go to `bakeoff.commands.NAME`.
        name: the command's name; None for NAME.
    """

    def make(function: Callable[[], None]) -> click.Command:
        own_name = function.__name__.removesuffix("_command")

        @functools.wraps(function)
        def run(**values: Any) -> int:
            return (call or _call)(own_name, values)

        command: Any = run
        for option in reversed((*options, *MESSAGES)):
            command = option(command)
        return bakeoff.command(name, cls=kind)(command)

    return make


def _call(name: str, values: dict[str, Any]) -> int:
    from bakeoff import commands

    return int(getattr(commands, name)(**values))


def _option(key: str, value: Value | None, text: str, *short: str, **more: Any) -> Any:
    """Return the decorator for an option; without a value it is a flag."""
    flag, name = "--" + key.replace("_", "-"), re.sub(r"\W", "_", more.pop("name", key))
    kind: dict[str, Any] = {"is_flag": True} if value is None else {"type": value, "metavar": value.name}
    return click.option(flag, *short, name, help=text, **kind, **more)


def _names(metavar: str, value: Value = EXPERIMENT) -> Any:
    return click.argument("names", nargs=-1, metavar=metavar, type=value, shell_complete=_complete_word)


def _complete_word(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return what may stand for a word without dashes: a name, or `key=value`."""
    assert isinstance(ctx.command, Command)
    return ctx.command.words(ctx, param, incomplete)


MESSAGES = (
    _option("quiet", None, "print the answer alone, and errors", "-q"),
    _option("verbose", None, "print what is being done", "-v"),
    _option("log", FILE, "append the messages, with times, to a file"),
)
FORMAT = _option("format", _choice("table", "json"), "of the answer", name="form", default="table")


def _form(text: str) -> Any:
    """Return the option for the form of one table."""
    forms = _choice("table", "json", "latex", "markdown", "html")
    return _option("format", forms, text, name="form", default="table")


SELECTION = (
    _option("models", _stored("model", several=True), "models by name or label; repeatable", multiple=True),
    _option("dataset", _stored("dataset"), "one data set, where the experiment has several"),
    _option("split", _stored("split"), "one split, where the experiment has several"),
    _option("split_seed", INTEGER, "one split seed"),
    _option("fold", INTEGER, "one fold"),
    _option("seed", INTEGER, "one seed of the models"),
    _option("tune", TEXT, "models tuned by it; none: models that are not tuned"),
)
CELLS = ("models", "dataset", "split", "split_seed", "fold", "seed", "tune")
RESULTS_DIR = _option("results_dir", FOLDER, "folder of results; its store is DIR/store", default="./results")
NAME = _option("name", EXPERIMENT, "the experiment")
TRUST = _option("trust", None, "import the classes that stored files name, though bakeoff does not ship them")


def _statistics(test: str | None = None) -> tuple[Any, ...]:
    """Return the options for how models are compared; without `test` as config.yaml says."""
    return (
        _option(
            "statistics.test",
            _choice("t", "randomization", "wilcoxon"),
            "paired test over users (tables: t; compare: randomization); with several splits or fits the "
            "variance model of docs/statistics.md",
            default=test,
        ),
        _option("statistics.correction", _choice("holm", "bh"), "of p-values in a family (default: holm)"),
        _option("statistics.resamples", INTEGER, "sign flips and bootstrap samples (default: 10000)"),
        _option("statistics.seed", INTEGER, "of both (default: 0)"),
        _option("statistics.confidence", NUMBER, "of the intervals (default: 0.95)"),
        _option(
            "statistics.question",
            _choice("algorithms", "models"),
            "with several seeds or splits, what intervals and tests are about: algorithms, trained again, or "
            "these fitted models (default: algorithms)",
        ),
    )


CONFIG_DIR = _option(
    "config_dir",
    DIR,
    "a folder of your own YAML: model/, dataset/, ... (./conf needs no flag)",
    "-cd",
    name="config_dirs",
    multiple=True,
)
HYDRA = (
    click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...", shell_complete=_complete_word),
    CONFIG_DIR,
    _option("config_name", TEXT, "another file in place of config.yaml", "-cn"),
    _option("cfg", _choice("job", "hydra", "all"), "print the configuration, run nothing", "-c"),
    _option("resolve", None, "of --cfg: with interpolations resolved"),
    _option("package", TEXT, "of --cfg: this part alone", "-p"),
    _option("multirun", None, "accepted; every command is a multirun", "-m"),
    FORMAT,
)


def command_line(command: str, words: Sequence[str]) -> CommandLine:
    """Return the words of a command that takes Hydra's, as options or as overrides.

    Raises:
        ConfigError: a word that is neither.
    """
    with _plain_errors(), bakeoff.commands[command].make_context(command, list(words)) as context:
        return _command_line(context.params)


def _hydra(command: str, options: dict[str, Any]) -> int:
    from bakeoff.config.compose import Session, run_session

    session = Session(command, _command_line(options), options["form"], options["quiet"])
    return run_session(session).exit_code


@_command(*HYDRA, kind=HydraCommand, call=_hydra)
def run_command() -> None:
    """Run what is missing of a grid and write its reports.

    Commas make a grid: every combination of data set, split, model and seed is a cell. k is not an axis:
    all cutoffs come from one fit. A stored cell is not run again, a failed one is. Stop it whenever you
    like: the same command continues.

    \b
      bakeoff run dataset=ml_100k model=als split=random                      one cell and its baselines
      bakeoff run model=popularity,als,warp split=random,temporal seed=1,2,3 'k=[5,10,20,30]' name=first
      bakeoff run model=als model.build.factors=32,64,128                     one model's hyperparameters
      bakeoff run model=als,warp als.factors=64,128 warp.no_components=32     each its own: NAME.PARAMETER
      bakeoff run model=als,ease tune=optuna tune.trials=30                   each tuned with one budget
      bakeoff run experiment=NAME                                             a preset

    `bakeoff show model als` (dataset, split, tune) lists what stands behind `model.`, `dataset.`, `split.`
    and `tune.`.
    """


@_command(*HYDRA, kind=HydraCommand, call=_hydra)
def plan_command() -> None:
    """Say what a run would do and how long it would take.

    Takes the same words as run and runs nothing. Skips are listed as far as the configuration and the store
    tell them: no data are read.
    """


@_command(*HYDRA, kind=HydraCommand, call=_hydra)
def describe_command() -> None:
    """Describe the data, whole and under each split.

    \b
      bakeoff describe dataset=ml_100k split=random,temporal
    """


@_command(
    _names("NAME"),
    _option("k", INTEGERS, "cutoffs, up to the depth of the stored lists"),
    _option("metrics", METRICS, "metrics by name; one of your own by its import path, my_metrics.mine"),
    _option("mlflow", ADDRESS, "address of an MLflow server: log what is not logged yet"),
    _option("table", None, "print one table for a paper, data sets as groups of columns; write no file"),
    _option("intervals", None, "of --table: show half of each interval"),
    _option(
        "conventions",
        Value("A,B,...", _list, lambda ctx: _libraries(), several=True),
        "print what these libraries would have printed for the same lists; write no file",
        default=(),
    ),
    *(*SELECTION, *_statistics(), NAME, RESULTS_DIR),
    _form("of the answer; the last three with --table or --conventions"),
)
def report_command() -> None:
    """Write an experiment's reports again, without fitting.

    Writes <results_dir>/NAME/report.md, .tex, .html, metrics.csv and cells.csv from the store, also for other
    cutoffs and metrics, and prints the tables.

    \b
      bakeoff report NAME --table 'metrics=[ndcg,recall]' 'k=[10]' --format latex
      bakeoff report NAME --conventions recommenders,implicit,rectools 'k=[10]'
    """


@_command(
    _names("WORD [NAME]", Value("WORD [NAME]", offer=lambda ctx: _explainable(ctx))),
    _option("k", INTEGERS, "cutoffs in the experiment (default: the measured one nearest to 10)"),
    *(*SELECTION, RESULTS_DIR, _form("of the answer")),
)
def explain_command() -> None:
    """Put all formulas of one word side by side: ndcg, precision, map, ...

    Libraries call different formulas by one word. Each row is a formula, with the libraries that print it,
    its value on five lists small enough to check by hand, and, with the NAME of an experiment, the value
    of each model there. Below stand the spread, and for each library who is in the mean and what a short
    or missing list counts.

    \b
      bakeoff explain ndcg
      bakeoff explain map first 'k=[10]'
    """


@_command(
    _names("KEY|NAME"),
    _option("to", FOLDER, "where the tables are written; of a NAME to DIR/KEY for each cell"),
    _option("preset", Value("DIR/model/NAME.yaml", _path), "write the model of a cell, of KEY or NAME/MODEL"),
    *(*SELECTION, NAME, RESULTS_DIR, TRUST, FORMAT),
)
def export_command() -> None:
    """Write train, test and lists as plain tables.

    Ids are those of your data. train.parquet and test.parquet hold user, item[, value, time]; lists.parquet
    holds user, item, rank, score: what anybody needs to measure a cell with another library. A KEY stands
    in cells.csv. A folder is written whole or not at all; an earlier export in it is replaced, anything
    else is refused.

    With --preset the cell's model with its final (tuned) hyperparameters becomes a YAML of your own:
    bakeoff run --config-dir DIR model=NAME
    """


@_command(
    _names("A B", Value("A B", offer=lambda ctx: _comparable(ctx))),
    _option("name", EXPERIMENT, "experiment of the models A and B; may be left out if there is only one"),
    *SELECTION[1:],
    _option("k", INTEGERS, "cutoffs to compare at (default: 10)"),
    _option("metrics", METRICS, "metrics to compare (default: all that were measured)"),
    _option("gate", Value("METRIC@K"), "answer by exit code: 0 PROMOTED, 3 REJECTED, 4 UNDECIDED"),
    _option("tolerance", NUMBER, "of --gate: how far the interval must lie above 0 (or below)"),
    _option(
        "non_inferior",
        Value("MARGIN", _number),
        "of --gate, in place of --tolerance: by how much A may be worse, in units of the metric",
    ),
    _option("users", INTEGER, "users with the largest gains, and losses, shown of each split", default="3"),
    *_statistics(test="randomization"),
    *(RESULTS_DIR, FORMAT),
)
def compare_command() -> None:
    """Compare a candidate with a baseline; gate a release.

    Is the candidate A better than the baseline B, for whom, and by enough to ship it?

    \b
      bakeoff compare als warp name=first                     two models of an experiment
      bakeoff compare "als (factors=8)" als name=first        as they stand in the table
      bakeoff compare c0123456789abcde cfedcba987654321       two cells (key in cells.csv), on one split
      bakeoff compare new_run old_run                         two experiments: models of one name, same splits
      bakeoff compare als warp name=first --gate ndcg@10 --tolerance 0.002

    Prints differences (A minus B) with intervals, p-values corrected within their family, wins, ties and
    losses by user; then for every split the segments of users in which the sign flips, and the users with
    the largest changes with both lists.

    The gate is PROMOTED if the interval of the difference lies above +tolerance, REJECTED if below
    -tolerance. With --non-inferior MARGIN it is PROMOTED above -MARGIN and REJECTED below -MARGIN. Where
    lower is better the sign is turned. Several data sets, splits or models are one decision, by the interval
    of their mean difference.
    """


def _libraries() -> list[str]:
    from bakeoff.evaluation.catalogue import LIBRARIES

    return list(LIBRARIES)


def _explainable(context: click.Context) -> list[str]:
    """Return the words that `explain` takes, or the experiments once it has one."""
    from bakeoff.evaluation.catalogue import words

    return completion.experiments(_results_dir(context)) if context.params.get("names") else words()


def _comparable(context: click.Context) -> list[str]:
    """Return what `compare` may be given: models of the named experiment, else experiments."""
    results, name = _results_dir(context), context.params.get("name")
    models = completion.stored_names(results, name, "model")
    return models if name else [*models, *completion.experiments(results)]


@_command(
    _names("NAME"),
    _option("user", TEXT, "to a user of the data, from the stored lists"),
    _option("items", Value("A,B,C", _quoted_entries), "to a new user who had these items"),
    _option("similar_to", Value("ITEM"), "items similar to an item"),
    _option("k", INTEGER, "length of the lists", default="10"),
    *SELECTION,
    _option("format", _choice("table", "csv", "json"), "form of the output (default: by --to, else a table)"),
    _option("to", FILE, "write to a file, .csv or .json"),
    *(NAME, RESULTS_DIR, TRUST),
)
def recommend_command() -> None:
    """Show what each model recommends, side by side.

    \b
      bakeoff recommend first --user 196                    from the stored lists
      bakeoff recommend first --items 50,172,181 --k 5      to a new user who had these items
      bakeoff recommend first --similar-to 50 --models als,ease

    Ids are those of your data; one that holds a comma stands in double quotes. --items and --similar-to ask
    the fitted models: they need cells that were run with save_model=true. A model that cannot answer is
    listed with the reason; one of a class of your own needs --trust. Beside the lists stand the history,
    the hits and the overlap.
    """


@_command(
    _names("NAME"),
    _option(
        "references",
        Value("A,B,...", _entries, lambda ctx: ("ranx", "recommenders", "sklearn"), several=True),
        "libraries to compare with, [] for none (default: those that are installed)",
    ),
    _option("refit", INTEGER, "number of cells to fit again; their lists are compared", default="0"),
    _option("refit_seed", INTEGER, "of a random sample (default: the cheapest cells, of each model in turn)"),
    _option("time_limit", NUMBER, "seconds in which the fits end, by the time that they took before"),
    *(*SELECTION, NAME, RESULTS_DIR, TRUST, FORMAT),
)
def verify_command() -> None:
    """Hold an experiment to its store, by independent code.

    Recomputes metrics.csv and the values by user from the stored lists, ranks and splits, by code that
    shares none with the evaluation: a plain formula for each metric, and the libraries whose formula is the
    same (pip install 'bakeoff[verify]'). Checks the lists too: nothing seen in train, no repeats, ranks
    that fit, splits with their fingerprints.

    Makes the reports and tables again from the store and compares them with the files, and follows the
    chain of hashes: data, split, model, lists, numbers, report; with --trust the source files too.

    Exit code 0 if all agree (numbers to 1e-9, relative above 1), 1 if something differs: each is named by
    cell and metric, or by file and line.
    """


@_command(RESULTS_DIR, FORMAT)
def doctor_command() -> None:
    """Diagnose the installation and the store.

    Prints versions, the distribution behind each library, threads, and free memory and disk; holds every file
    of the store to its hash; and names damage and what dead processes left, each with the command that mends
    it.

    Exit code 0 if nothing is amiss, else 1.
    """


@_command(
    _names("[NAME]"),
    _option("train", FILE, "rows that a model was fitted on: user, item, perhaps time; CSV or Parquet"),
    _option("test", FILE, "rows to be found: user, item, perhaps time"),
    _option("lists", FILE, "lists: user, item, and rank or score, perhaps model; repeatable", multiple=True),
    _option("printed", FILE, "numbers that were printed: metric, k, value, perhaps model (CSV)"),
    _option(
        "columns", Value("USER,ITEM,TIME", _list), "names of these columns", default=("user", "item", "time")
    ),
    _option("k", INTEGERS, "cutoffs of a stored experiment (default: those that were measured)"),
    _option("metrics", METRICS, "metrics of a stored experiment (default: those that were measured)"),
    _option("strict", None, "exit with 1 for a caution too"),
    *(*SELECTION, RESULTS_DIR, FORMAT),
)
def audit_command() -> None:
    """Look for faults in an experiment, and ask how far its order of models holds.

    \b
      bakeoff audit first
      bakeoff audit first --metrics conventions
      bakeoff audit --train train.csv --test test.csv --lists lists.csv --printed numbers.csv

    Faults make numbers wrong: test pairs in train or twice in test, lists with seen, repeated or unknown
    items, lists of observed pairs alone, scores that are not finite, ids that are off by one, numbers above
    their maximum or not of these lists. Cautions make them say less: a split that looks ahead in time, users
    or items only in test, users without a list, constant scores, unequal tuning, and too few users to tell
    the best models apart, with the number that would do.

    Of a stored experiment the order of models is compared over cutoffs, metrics, runs and splits, by
    Kendall's tau with an interval over users; the pairs that flip are named. Files may be anybody's.

    Exit code 0 without a fault, 1 with one.
    """


@_command(
    click.argument("kind", metavar="|".join(LISTED), type=Value("KIND", _kinds, lambda ctx: LISTED)),
    *(CONFIG_DIR, RESULTS_DIR, FORMAT),
    name="list",
)
def list_entries_command() -> None:
    """List models, data sets, splits, metrics, presets or experiments.

    Presets are the files of conf/experiment, experiments are stored results. On a pipe every line is a name
    and what it is, with a tab between.
    """


@_command(
    click.argument("kind", metavar="|".join(SHOWN), type=Value("KIND", _kind, lambda ctx: SHOWN)),
    click.argument("name", type=Value("NAME", offer=lambda ctx: _shown_names(ctx))),
    *(CONFIG_DIR, RESULTS_DIR, FORMAT),
)
def show_command() -> None:
    """Show every key of an option: meaning, default, range, search space.

    \b
      bakeoff show model als
      bakeoff show dataset csv
      bakeoff show tune optuna
      bakeoff show metric ndcg
      bakeoff show experiment first       its cells, and the labels that compare and recommend take
    """


def _shown_names(context: click.Context) -> Sequence[str]:
    kind = context.params.get("kind")
    if kind == "experiment":
        return completion.experiments(_results_dir(context))
    if kind == "metric":
        return _metric_names()
    path = config_files.search_path(context.params.get("config_dirs") or ())
    return config_files.options("experiment" if kind == "preset" else str(kind), path)


@_command(
    click.argument("shell", metavar="bash|zsh|fish", type=_choice("bash", "zsh", "fish")),
    call=lambda name, values: _print(completion.script(values["shell"])),
)
def completion_command() -> None:
    """Print the script that completes commands in a shell.

    \b
      eval "$(bakeoff completion bash)"            in ~/.bashrc
      eval "$(bakeoff completion zsh)"             in ~/.zshrc, after compinit
      bakeoff completion fish | source             in ~/.config/fish/config.fish
    """


def _cell_filter(options: dict[str, Any]) -> CellFilter:
    """Return the filter that the options of SELECTION make."""
    from bakeoff.queries.select import CellFilter

    models = [text.strip().removeprefix("[").removesuffix("]") for text in options.pop("models", ())]
    return CellFilter(models=models[0] if len(models) == 1 else tuple(models), **options)


def _test_config(options: dict[str, Any]) -> TestConfig:
    """Return how models are compared: as `config.yaml` says, with the options of the command."""
    from bakeoff.evaluation.significance import TestConfig

    given = {name.removeprefix("statistics_"): value for name, value in options.items() if value is not None}
    return TestConfig(**{**config_files.statistics(), **given})
