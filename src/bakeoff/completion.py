"""Shell completion: the scripts for bash, zsh and fish, and what they offer in place of the last word.

A script calls `bakeoff` with the shell in `_BAKEOFF_COMPLETE` and the line up to the cursor in `COMP_LINE`.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from click import Group
from click.shell_completion import CompletionItem, ShellComplete

from bakeoff import config_files
from bakeoff.config_files import Config
from bakeoff.errors import ConfigError, nearest

_BASH = """_bakeoff_complete() {
    local IFS=$'\\n' line="${COMP_LINE:0:$COMP_POINT}"
    COMPREPLY=($(_BAKEOFF_COMPLETE=bash COMP_LINE="$line" "$1" 2>/dev/null))
    [[ ${COMPREPLY[0]} == *= || ${COMPREPLY[0]} == *. ]] && compopt -o nospace
    # bash replaces what follows the last = only, if = ends a word
    if [[ "${line##* }" == *=* && "$COMP_WORDBREAKS" == *=* ]]; then
        COMPREPLY=("${COMPREPLY[@]#*=}")
    fi
}
complete -o default -F _bakeoff_complete bakeoff
"""

_ZSH = """_bakeoff_complete() {
    local line="${(j: :)words[1,CURRENT]}"
    local -a candidates with_space without_space
    candidates=("${(@f)$(_BAKEOFF_COMPLETE=zsh COMP_LINE="$line" bakeoff 2>/dev/null)}")
    without_space=(${(M)candidates:#*[=.]})
    with_space=(${candidates:#*[=.]})
    (( $#without_space )) && compadd -Q -U -S '' -a without_space
    (( $#with_space )) && compadd -Q -U -a with_space
    (( $#without_space + $#with_space )) || _files
}
compdef _bakeoff_complete bakeoff
"""

_FISH = """function _bakeoff_complete
    env _BAKEOFF_COMPLETE=fish COMP_LINE=(commandline -cp) bakeoff 2>/dev/null
end
complete --command bakeoff --arguments '(_bakeoff_complete)'
"""

SCRIPTS: Mapping[str, str] = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


class _LineComplete(ShellComplete):
    """Completes the last word of a line."""

    name = "line"
    source_template = ""

    def __init__(self, cli: Group, line: str) -> None:
        super().__init__(cli, {}, "bakeoff", "")
        self._line = line

    def get_completion_args(self) -> tuple[list[str], str]:
        words = _split(self._line)[1:]
        return (words, "") if not words or self._line[-1].isspace() else (words[:-1], words[-1])

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        items = super().get_completions(args, incomplete)
        flag, equals, _ = incomplete.partition("=")
        if not equals or not flag.startswith("-"):
            return items
        return [CompletionItem(f"{flag}={item.value}") for item in items]  # click gives the value alone


def script(shell: str) -> str:
    """Return the script that makes a shell complete `bakeoff`.

    Raises:
        ConfigError: there is none for this shell.
    """
    if shell not in SCRIPTS:
        raise ConfigError(f"completion {shell!r}: {nearest(shell, SCRIPTS)}")
    return SCRIPTS[shell]


def answer(cli: Group, shell: str, line: str) -> str:
    """Return the candidates for the last word, a line each, quoted for bash and zsh."""
    quoted = candidates(cli, line)
    if shell != "fish":  # which quotes by itself
        quoted = [_quote(candidate) for candidate in quoted]
    return "\n".join(quoted)


def candidates(cli: Group, line: str) -> list[str]:
    """Return what could stand in place of the last word of a command line."""
    completer = _LineComplete(cli, line)
    return [item.value for item in completer.get_completions(*completer.get_completion_args())]


def _split(line: str) -> list[str]:
    """Return the words of a line as a shell reads them; a quote that is still open ends with the line."""
    for closing in ("", "'", '"'):
        try:
            return shlex.split(line + closing)
        except ValueError:
            continue
    return line.split()


def _quote(word: str) -> str:
    return "".join(c if c.isalnum() or c in "_-.,=+/:@%~[]" or ord(c) > 127 else "\\" + c for c in word)


# -- what is there -------------------------------------------------------------------------------------


def experiments(results: Path) -> list[str]:
    """Return the names of the stored experiments."""
    return sorted(p.parent.name for p in results.glob("*/experiment.json"))


def stored_names(results: Path, experiment: str | None, what: str) -> list[str]:
    """Return the names of the models, data sets or splits of an experiment, and their labels.

    Args:
        experiment: None takes all that are stored.
        what: model, dataset or split.
    """
    from bakeoff.run.naming import label

    names: dict[str, None] = {}
    for name in experiments(results) if experiment is None else [experiment]:
        try:
            cells = json.loads((results / name / "experiment.json").read_text(encoding="utf-8"))["cells"]
            for cell in (entry["cell"] for entry in cells):
                variant = cell["variant" if what == "model" else f"{what}_variant"]
                tuner = (cell["tune"] or {}).get("name", "none") if what == "model" else "none"
                names |= dict.fromkeys((cell[what]["name"], label(cell[what]["name"], variant, tuner)))
        except (OSError, ValueError, KeyError, TypeError):  # nothing to offer; a command says what is wrong
            continue
    return sorted(names)


def override_candidates(incomplete: str, words: Sequence[str], path: Sequence[Path]) -> list[str]:
    """Return the overrides that begin with a text: keys (`model=`, `model.build.factors=`) or their values.

    Args:
        words: the overrides before it; they choose whose keys are offered.
        path: the folders of YAML, first found first.
    """
    prefix = incomplete[: len(incomplete) - len(incomplete.lstrip("+~"))]
    key, equals, value = incomplete[len(prefix) :].partition("=")
    option, dot, _ = key.partition(".")
    for group in ("model", "split", "dataset") if dot else ():
        if option in _chosen(group, words, path):  # `als.factors=` stands for `model.build.factors=`
            base = "model.build." if group == "model" else f"{group}."
            of_group = f"{prefix}{base}{incomplete[len(prefix) + len(option) + 1 :]}"
            candidates = override_candidates(of_group, [f"{group}={option}"], path)
            return [candidate.replace(base, f"{option}.", 1) for candidate in candidates]
    if equals:
        before, comma, last = value.rpartition(",")  # of a list, the last entry is being typed
        values = _values(key, words, path)
        return [f"{prefix}{key}={before}{comma}{v}" for v in values if v.startswith(last)]
    group, dot, _ = key.partition(".")
    if dot and group in config_files.options("model", path):  # values of this model alone: als.factors=8
        keys = [f"{group}.{k}" for k in config_files.option("model", group, path).get("build", {})]
    elif dot:
        keys = [f"{group}.{k}" for k in _keys(group, words, path)]
    else:
        keys = config_files.roots()
    return [f"{prefix}{k}=" for k in keys if k.startswith(key)]


def _values(key: str, words: Sequence[str], path: Sequence[Path]) -> list[str]:
    if key in config_files.groups():
        return config_files.options(key, path)
    group, _, parameter = key.partition(".")
    if group in config_files.options("model", path):
        group, parameter, words = "model", f"build.{parameter}", [f"model={group}"]
    texts: dict[str, None] = {}
    for option in _chosen(group, words, path):
        default = _keys_of(config_files.option(group, option, path)).get(parameter)
        texts |= dict.fromkeys(("true", "false") if isinstance(default, bool) else ())
        space = config_files.option(group, option, path).get("space") or {}
        searched = space.get(parameter.removeprefix("build.")) or {}
        texts |= dict.fromkeys(
            str(c).lower() if isinstance(c, bool) else str(c) for c in searched.get("choices", ())
        )
    return list(texts)


def _keys(group: str, words: Sequence[str], path: Sequence[Path]) -> list[str]:
    """Return the keys below a group of the options that the words choose, or that are the default."""
    if group == "statistics":
        return sorted(config_files.statistics())
    keys = {
        k: None
        for option in _chosen(group, words, path)
        for k in _keys_of(config_files.option(group, option, path))
    }
    return sorted(keys)


def _chosen(group: str, words: Sequence[str], path: Sequence[Path]) -> list[str]:
    if group not in config_files.groups():
        return []
    given = [word.partition("=")[2].split(",") for word in words if word.startswith(f"{group}=")]
    names = given[-1] if given else [config_files.default(group)]
    names = ["optuna" if group == "tune" and name == "none" else name for name in names]
    return [name for name in names if name in config_files.options(group, path)]


def _keys_of(config: Config) -> Config:
    """Return the keys that a command may set, nested ones with dots, and their values."""
    hidden = ("space", "defaults")
    keys = config_files.flat({k: v for k, v in config.items() if k not in hidden})
    return {key: value for key, value in keys if not key.rpartition(".")[2].startswith("_")}
