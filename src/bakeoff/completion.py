"""Shell completion: a script for bash, and the answers it asks for."""

from __future__ import annotations

from collections.abc import Sequence

from bakeoff import config_files
from bakeoff.errors import ConfigError
from bakeoff.helptext import HYDRA_VERBS, VERBS

_SCRIPT = """_bakeoff_complete() {
    local IFS=$'\\n'
    COMPREPLY=($(bakeoff completion answer "${COMP_LINE:0:$COMP_POINT}" 2>/dev/null))
    [[ ${COMPREPLY[0]} == *= || ${COMPREPLY[0]} == *. ]] && compopt -o nospace
}
COMP_WORDBREAKS=${COMP_WORDBREAKS//=}
complete -o default -F _bakeoff_complete bakeoff
"""


def answer(words: Sequence[str]) -> str:
    """`bash` gives the script; `answer LINE` the candidates for the last word of a command line."""
    if list(words) == ["bash"]:
        return _SCRIPT
    if len(words) == 2 and words[0] == "answer":
        return "\n".join(candidates(words[1]))
    raise ConfigError(f"completion {' '.join(words)!r}: expected `bakeoff completion bash`")


def candidates(line: str) -> list[str]:
    """What could stand in place of the last word.

    >>> candidates("bakeoff pl")
    ['plan']
    >>> candidates("bakeoff run split=leave")
    ['split=leave_last_out']
    """
    words = line.split(" ")
    last = words[-1]
    if len(words) <= 2:
        return [v for v in VERBS if v.startswith(last)]
    if words[1] not in HYDRA_VERBS:
        return []
    key, equals, value = last.partition("=")
    if equals:
        before, comma, part = value.rpartition(",")  # in a list of several, the last is being typed
        return [f"{key}={before}{comma}{n}" for n in config_files.options(key) if n.startswith(part)]
    return [f"{n}=" for n in sorted((*config_files.groups(), *config_files.scalars())) if n.startswith(last)]
