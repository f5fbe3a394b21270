"""The embedded default data set: a simulated listening log in the layout of Last.fm's lists of top tracks.

Nobody in it exists. What is planted: every listener has a main and a second genre, drawn by the taste of the
country, a set of favourite artists in them, and plays their tracks; artists and tracks have long tails. So a
model that is personal must beat popularity, popularity must beat chance, and artist and genre tell something
about a track that few have played.

One row a (user, track): how often it was played in all, and when for the first time. Splits by time therefore
ask what a listener will discover, and no pair is on both sides of a cut. The number of plays is that of the
end of the log, as in the lists that Last.fm gives.

`python -m bakeoff.data.synthetic plays.csv` writes such a log as a CSV file.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from bakeoff.arrays import CSR, Array
from bakeoff.data.chance import Chance
from bakeoff.data.interactions import Features, Ids, Interactions
from bakeoff.data.knobs import Knobs
from bakeoff.data.source import Dataset, Step
from bakeoff.data.tastes import Log, draw
from bakeoff.errors import UsageError

GENERATOR = 1  # a part of the identity: raised whenever the same knobs give other rows
END = 1_735_689_600  # 2025-01-01T00:00:00Z: the log ends with the second before
LEVELS = ("low", "medium", "high")


@dataclass(frozen=True)
class Simulated(Knobs):
    """The simulated log as a source; the knobs are those of :class:`Knobs`.

    User features: country, activeness (by the planned length of the history: the lowest and the highest
    quarter, and between). Item features: artist, genre (one or two).
    """

    name: str = "simulated"

    def files(self) -> Mapping[str, Path]:
        return {}

    def identity(self) -> dict[str, Any]:
        return {**asdict(self), "generator": GENERATOR}

    def load(self) -> Dataset:
        log = draw(self)
        item_ids, item_code = _coded([f"{track} | {artist}" for track, artist in _titles(self, log)])
        user_ids, user_code = _coded(_usernames(self.n_users))
        data = Interactions.of(
            user_code[log.user],
            item_code[log.track],
            log.plays.astype(np.float32),
            END - self.days * 86_400 + log.first,
            user_ids,
            item_ids,
            user_features=_user_features(self, log, user_code),
            item_features=_item_features(self, log, item_code),
        )
        step = Step("simulate", len(data), self.n_users, self.n_items, f"seed {self.seed}; not real people")
        return Dataset(self.name, data, (step,))


def write_csv(path: str | Path, knobs: Knobs | None = None) -> int:
    """Write the log in the layout of `user_songs_filtered.csv`, and return the number of rows.

    The columns: Username, track_name, artist_name, rank (1 = most played of the user), playcount, country,
    log_total_track_count and log_total_artist_count (natural logs of the user's numbers of tracks and
    artists), activeness_low, activeness_medium, activeness_high (0 or 1), and, beyond that layout, when: the
    first listen in UTC (ISO 8601).
    """
    import pandas as pd

    knobs = knobs or Simulated()
    log = draw(knobs)
    titles = _titles(knobs, log)
    artist = _track_artists(log)[log.track]
    order = np.lexsort((log.track, -log.plays, log.user))
    user, track = log.user[order], log.track[order]
    n_tracks = np.bincount(user, minlength=knobs.n_users)
    pairs = np.unique(log.user * len(log.artists.tracks) + artist) // len(log.artists.tracks)
    n_artists = np.bincount(pairs, minlength=knobs.n_users)
    active = _activeness(log)
    first = np.cumsum(n_tracks) - n_tracks
    frame = pd.DataFrame(
        {
            "Username": np.array(_usernames(knobs.n_users))[user],
            "track_name": np.array([t for t, _ in titles], dtype=object)[track],
            "artist_name": np.array([a for _, a in titles], dtype=object)[track],
            "rank": np.arange(len(user)) - first[user] + 1,
            "playcount": log.plays[order],
            "country": np.array([f"country_{c + 1:02d}" for c in log.listeners.country])[user],
            "log_total_track_count": np.log(n_tracks).round(6)[user],
            "log_total_artist_count": np.log(n_artists).round(6)[user],
            **{f"activeness_{name}": (active == i).astype(int)[user] for i, name in enumerate(LEVELS)},
            "when": pd.to_datetime(END - knobs.days * 86_400 + log.first[order], unit="s").strftime(
                "%Y-%m-%dT%H:%M:%SZ"
            ),
        }
    )
    frame.to_csv(path, index=False, lineterminator="\n")
    return len(frame)


def _usernames(n: int) -> list[str]:
    return [f"user_{i + 1:04d}" for i in range(n)]


def _coded(texts: list[str]) -> tuple[Ids, Array]:
    """Distinct texts as ids, and the code of each (int32)."""
    ids = Ids.of(texts)
    codes = np.empty(len(texts), dtype=np.int32)
    codes[sorted(range(len(texts)), key=texts.__getitem__)] = np.arange(len(texts), dtype=np.int32)
    return ids, codes


def _words(chance: Chance) -> list[str]:
    """Invented words: all pairs and triples of a few syllables, shuffled."""
    syllables = [
        a + b for a in ("b", "dr", "f", "k", "l", "m", "n", "p", "s", "tr", "v", "z") for b in "aeiou"
    ]
    words = ["".join(p) for p in itertools.product(syllables, repeat=2)]
    return [words[i].capitalize() for i in np.argsort(chance("words", len(words)), kind="stable")]


def _titles(knobs: Knobs, log: Log) -> list[tuple[str, str]]:
    """(track, artist) of each track: artists have distinct names, and so have the tracks of one artist."""
    words = _words(Chance(knobs.seed))
    n = len(words)
    # A stride without a common factor with n * n walks through all pairs of words before it repeats one.
    pair = (np.arange(len(log.artists.tracks)) * 7_919) % (n * n)
    artists = [f"{words[p // n]} {words[p % n]}" for p in pair.tolist()]
    at = (np.arange(knobs.n_items) * 104_729 + n // 2) % (n * n)
    tracks = [f"{words[p // n]} {words[p % n].lower()}" for p in at.tolist()]
    return [(t, artists[a]) for t, a in zip(tracks, _track_artists(log).tolist(), strict=True)]


def _track_artists(log: Log) -> Array:
    """int64 [I]: the artist of each track."""
    return np.repeat(np.arange(len(log.artists.tracks)), log.artists.tracks)


def _activeness(log: Log) -> Array:
    """int64 [U]: 0, 1 or 2, a position in LEVELS."""
    length = log.listeners.length
    return np.searchsorted(np.quantile(length, [0.25, 0.75]), length, side="left")


def _user_features(knobs: Knobs, log: Log, code: Array) -> Features:
    countries = [f"country=country_{c + 1:02d}" for c in range(knobs.n_countries)]
    names = (*countries, *(f"activeness={level}" for level in LEVELS))
    columns = [log.listeners.country, knobs.n_countries + _activeness(log)]
    return Features(_one_hot([(code, c) for c in columns], (knobs.n_users, len(names))), names)


def _item_features(knobs: Knobs, log: Log, code: Array) -> Features:
    artist = _track_artists(log)
    n_artists = len(log.artists.tracks)
    second = log.artists.second[artist]
    both = second >= 0
    name = {a: n for (_, n), a in zip(_titles(knobs, log), artist.tolist(), strict=True)}
    names = [f"artist={name[a]}" for a in range(n_artists)]
    names += [f"genre=genre_{g + 1:02d}" for g in range(knobs.n_genres)]
    entries = [
        (code, artist),
        (code, n_artists + log.artists.genre[artist]),
        (code[both], n_artists + second[both]),
    ]
    return Features(_one_hot(entries, (knobs.n_items, len(names))), tuple(names))


def _one_hot(entries: Sequence[tuple[Array, Array]], shape: tuple[int, int]) -> CSR:
    rows, columns = (np.concatenate(a) for a in zip(*entries, strict=True))
    return sparse.csr_matrix((np.ones(len(rows), dtype=np.float32), (rows, columns)), shape=shape)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write a simulated log as CSV; every knob is an option."""
    parser = argparse.ArgumentParser(prog="python -m bakeoff.data.synthetic", description=main.__doc__)
    parser.add_argument("path", type=Path, help="the CSV file to write")
    for knob in fields(Knobs):
        kind = float if isinstance(knob.default, float) else int
        option = "--" + knob.name.replace("_", "-")
        parser.add_argument(
            option, dest=knob.name, type=kind, default=knob.default, help="default: %(default)s"
        )
    chosen = vars(parser.parse_args(arguments))
    path = chosen.pop("path")
    try:
        rows = write_csv(path, Knobs(**chosen))
    except UsageError as wrong:
        parser.error(str(wrong))
    except OSError as wrong:
        parser.error(f"{path}: cannot be written: {wrong}")
    sys.stdout.write(f"{path}: {rows} rows\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
