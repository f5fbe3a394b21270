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
from typing import Annotated, Any, NamedTuple

import numpy as np
from scipy import sparse
from scipy.special import ndtri

from bakeoff.arrays import CSR, Array, Bools, Doubles, Hashes
from bakeoff.data.interactions import Features, Ids, Interactions
from bakeoff.data.source import Dataset, Step
from bakeoff.errors import ConfigError, UsageError
from bakeoff.hashing import hash_text
from bakeoff.parameters import Count, Range, Share, check_parameters

SHORTEST = 3  # rows of a listener
Exponent = Annotated[float, Range(low=0, high=5)]


@dataclass(frozen=True)
class Knobs:
    """What the simulated log is to look like.

    Args:
        n_users: listeners; each has at least 3 rows.
        n_items: tracks; each has at least one row.
        n_rows: (user, track) pairs, met to within 5 % where the histories leave room.
        n_genres: genres, each with at least one artist.
        n_countries: countries, the first the largest.
        tracks_per_artist: mean number of tracks of an artist.
        artist_exponent: how unequal artists are: weight of the artist of rank r is r to the minus this.
        track_exponent: the same for the tracks of one artist.
        history_spread: standard deviation of the log of a listener's number of tracks.
        mainstream: share of a listener's artists that come from the charts, whatever the taste.
        country_taste: how far countries differ in taste (standard deviation of the log of a genre's weight).
        drift: how much changes in time: listeners turn to another genre, new artists appear. 0 is nothing.
        plays_median: plays of the middle pair.
        days: length of the log; it ends with 2024-12-31.
        seed: all chance comes from it.
    """

    n_users: Count = 1200
    n_items: Count = 4000
    n_rows: Count = 66_000
    n_genres: Count = 20
    n_countries: Count = 12
    tracks_per_artist: Annotated[float, Range(low=1)] = 5.0
    artist_exponent: Exponent = 0.95
    track_exponent: Exponent = 0.9
    history_spread: Exponent = 0.8
    mainstream: Share = 0.15
    country_taste: Exponent = 1.5
    drift: Share = 0.2
    plays_median: Annotated[float, Range(low=1)] = 250.0
    days: Count = 730
    seed: Annotated[int, Range(low=0)] = 20

    def __post_init__(self) -> None:
        check_parameters(self, "dataset")
        if self.n_items < self.n_genres:
            raise ConfigError(
                f"dataset.n_items={self.n_items}: expected at least dataset.n_genres={self.n_genres}, "
                "a track for each genre"
            )
        least = max(SHORTEST * self.n_users, self.n_items)
        most = self.n_users * self.n_items // 4
        if least > most:
            raise ConfigError(
                f"dataset.n_users={self.n_users}, dataset.n_items={self.n_items}: too few for a log, "
                f"expected their product to be at least {4 * least}"
            )
        if not least <= self.n_rows <= most:
            raise ConfigError(
                f"dataset.n_rows={self.n_rows}: expected {least} to {most}: {SHORTEST} for each "
                f"of {self.n_users} users, 1 for each of {self.n_items} items, a quarter of all pairs at most"
            )


class Chance:
    """Uniform numbers in (0, 1), a stream for each purpose."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def __call__(self, purpose: str, n: int) -> Doubles:
        bits: Hashes = np.random.PCG64([self._seed, int(hash_text(purpose))]).random_raw(n)
        numbers: Doubles = ((bits >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
        return numbers

    def normal(self, purpose: str, n: int) -> Doubles:
        values: Doubles = ndtri(self(purpose, n))
        return values


class Wheel:
    """Weighted choice among entries that stand together in segments."""

    def __init__(self, weights: Doubles, sizes: Array) -> None:
        self.starts = np.concatenate(([0], np.cumsum(sizes)))
        self._sums = np.concatenate(([0.0], np.cumsum(weights)))

    def pick(self, segments: Array, chance: Doubles) -> Array:
        """Position of one entry of each segment (int64), by a uniform number each."""
        first, end = self.starts[segments], self.starts[segments + 1]
        low, high = self._sums[first], self._sums[end]
        at = np.searchsorted(self._sums, low + chance * (high - low), side="right") - 1
        picked: Array = np.clip(at, first, end - 1)
        return picked


def ranked(n: int, exponent: float) -> Doubles:
    """Weights of ranks 1 to n, falling by a power of the rank; they add up to 1."""
    weights = np.arange(1, n + 1, dtype=np.float64) ** -exponent
    shares: Doubles = weights / weights.sum()
    return shares


def choose(weights: Doubles, chance: Doubles) -> Array:
    """A position (int64) for each uniform number, by weight."""
    return Wheel(weights, np.array([len(weights)])).pick(np.zeros(len(chance), dtype=np.int64), chance)


MAIN_GENRE, SECOND_GENRE = 0.6, 0.25  # shares of a listener's artists; the rest follow the country's taste
SECOND_LISTING = 0.3  # share of artists with a second genre, and their weight in it


class Artists(NamedTuple):
    """A artists, the most popular first; tracks of an artist stand together.

    genre, second: int64 [A], the second -1 where there is none. weight: float64 [A].
    debut: float64 [A], when the artist appears, as a share of the log's time. tracks: int64 [A], how many.
    """

    genre: Array
    second: Array
    weight: Doubles
    debut: Doubles
    tracks: Array


class Listeners(NamedTuple):
    """U listeners. country, main, second, later: int64 [U]; the last three are genres.

    length: int64 [U], how many tracks are aimed at. joined: float64 [U], share of the log's time.
    """

    country: Array
    main: Array
    second: Array
    later: Array
    length: Array
    joined: Doubles


class Favourites(NamedTuple):
    """F (user, artist) favourites, user by user: user, artist int64 [F]; found float64 [F], when."""

    user: Array
    artist: Array
    found: Doubles


class Log(NamedTuple):
    """n rows, one for each (user, track). plays: int64 [n]; first: int64 [n], seconds since the log began."""

    user: Array
    track: Array
    plays: Array
    first: Array
    artists: Artists
    listeners: Listeners


def draw(knobs: Knobs) -> Log:
    """Simulate the log."""
    chance = Chance(knobs.seed)
    artists = _artists(knobs, chance)
    listeners, local = _listeners(knobs, chance)
    favourites = _favourites(knobs, chance, artists, listeners, local)
    user, track, liked = _listens(knobs, chance, artists, listeners, favourites)
    fans = _fans(knobs, chance, artists, favourites, track)
    user, track, liked = _make_room(user, track, liked, fans)
    return Log(
        user,
        track,
        _plays(knobs, chance, user, favourites, liked),
        _first(knobs, chance, favourites, liked),
        artists,
        listeners,
    )


def _artists(knobs: Knobs, chance: Chance) -> Artists:
    n = max(knobs.n_genres, min(knobs.n_items, round(knobs.n_items / knobs.tracks_per_artist)))
    share = ranked(knobs.n_genres, 0.7)
    genre = choose(share, chance("genre", n))
    genre[: knobs.n_genres] = np.arange(knobs.n_genres)
    second = choose(share, chance("second genre", n))
    second[(chance("has second", n) > SECOND_LISTING) | (second == genre)] = -1
    new = chance("new artist", n) < knobs.drift
    # Known artists have longer careers: the tracks are dealt out by the square root of the rank.
    dealt = np.floor(np.cumsum(ranked(n, 0.5)) * (knobs.n_items - n) + 0.5).astype(np.int64)
    return Artists(
        genre=genre,
        second=second,
        weight=ranked(n, knobs.artist_exponent),
        debut=np.where(new, 0.9 * chance("debut", n), 0.0),
        tracks=1 + np.diff(dealt, prepend=0),
    )


def _listeners(knobs: Knobs, chance: Chance) -> tuple[Listeners, Wheel]:
    """The listeners, and the wheel of genres of each country."""
    n, g, c = knobs.n_users, knobs.n_genres, knobs.n_countries
    country = choose(ranked(c, 0.8), chance("country", n))
    leaning = np.exp(knobs.country_taste * chance.normal("country's taste", c * g))
    local = Wheel(np.tile(ranked(g, 0.7), c) * leaning, np.full(c, g))
    main, second, later = (local.pick(country, chance(p, n)) % g for p in ("main", "second", "later"))
    length = np.exp(knobs.history_spread * chance.normal("length", n))
    length = np.clip(length * (knobs.n_rows / length.sum()), SHORTEST, knobs.n_items / 3)
    length *= knobs.n_rows / length.sum()
    joined = 0.5 * chance("joined", n) ** 2
    whole = np.maximum(np.rint(length), SHORTEST).astype(np.int64)
    return Listeners(country, main, second, later, whole, joined), local


def _favourites(
    knobs: Knobs, chance: Chance, artists: Artists, listeners: Listeners, local: Wheel
) -> Favourites:
    user = np.repeat(np.arange(knobs.n_users), _n_favourites(listeners.length))
    n = len(user)
    phase = chance("phase", n)
    of = chance("whose genre", n)
    by_country = local.pick(listeners.country[user], chance("country's genre", n)) % knobs.n_genres
    genre = np.where(of < MAIN_GENRE + SECOND_GENRE, listeners.second[user], by_country)
    genre = np.where(of < MAIN_GENRE, listeners.main[user], genre)
    turned = chance("turn", n) < knobs.drift * phase
    genre = np.where(turned, listeners.later[user], genre)

    wheel, listed = _by_genre(knobs, artists)
    artist = listed[wheel.pick(genre, chance("artist", n))]
    charts = chance("charts", n) < knobs.mainstream
    artist = np.where(charts, choose(artists.weight, chance("chart", n)), artist)
    joined = listeners.joined[user]
    return Favourites(user, artist, np.maximum(joined + phase * (1 - joined), artists.debut[artist]))


def _n_favourites(length: Array) -> Array:
    """About 23 artists for 50 tracks, as in Last.fm's lists of top tracks; fewer a track in longer ones."""
    return np.ceil(1.2 * length**0.75).astype(np.int64)


def _by_genre(knobs: Knobs, artists: Artists) -> tuple[Wheel, Array]:
    """A wheel of artists for each genre, and the artist behind each of its entries."""
    again = np.flatnonzero(artists.second >= 0)
    genre = np.concatenate((artists.genre, artists.second[again]))
    artist = np.concatenate((np.arange(len(artists.genre)), again))
    weight = np.concatenate((artists.weight, SECOND_LISTING * artists.weight[again]))
    order = np.argsort(genre, kind="stable")
    sizes = np.bincount(genre, minlength=knobs.n_genres)
    return Wheel(weight[order], sizes), artist[order]


def _listens(
    knobs: Knobs, chance: Chance, artists: Artists, listeners: Listeners, favourites: Favourites
) -> tuple[Array, Array, Array]:
    """Distinct (user, track) rows, user by user, and the favourite that led to each."""
    tries = 3 * listeners.length + 30
    user = np.repeat(np.arange(knobs.n_users), tries)
    n_favourites = _n_favourites(listeners.length)
    before = np.cumsum(n_favourites) - n_favourites
    # The first favourites are played most.
    liked = before[user] + (n_favourites[user] * chance("favourite", len(user)) ** 1.5).astype(np.int64)
    ranks = np.arange(knobs.n_items) - np.repeat(np.cumsum(artists.tracks) - artists.tracks, artists.tracks)
    wheel = Wheel((1.0 + ranks) ** -knobs.track_exponent, artists.tracks)
    track = wheel.pick(favourites.artist[liked], chance("track", len(user)))

    _, new = np.unique(user * knobs.n_items + track, return_index=True)
    new.sort()
    kept = new[_count_before(user[new]) < listeners.length[user[new]]]
    return user[kept], track[kept], liked[kept]


def _count_before(groups: Array) -> Array:
    """How many earlier rows of the same group each row has; rows of a group stand together."""
    starts = np.flatnonzero(np.diff(groups, prepend=-1))
    sizes = np.diff(starts, append=len(groups))
    return np.arange(len(groups)) - np.repeat(starts, sizes)


def _fans(
    knobs: Knobs, chance: Chance, artists: Artists, favourites: Favourites, track: Array
) -> tuple[Array, Array, Array]:
    """A listener for each track that nobody has played: one who likes the artist, else anyone."""
    missing = np.flatnonzero(np.bincount(track, minlength=knobs.n_items) == 0)
    artist = np.repeat(np.arange(len(artists.tracks)), artists.tracks)[missing]
    order = np.argsort(favourites.artist, kind="stable")
    sizes = np.bincount(favourites.artist, minlength=len(artists.tracks))
    liked_by_none = sizes[artist] == 0
    wheel = Wheel(np.ones(len(order)), sizes)
    u = chance("fan", len(missing))
    picked = np.empty(len(missing), dtype=np.int64)
    picked[~liked_by_none] = order[wheel.pick(artist[~liked_by_none], u[~liked_by_none])]
    picked[liked_by_none] = (u[liked_by_none] * len(order)).astype(np.int64)
    return favourites.user[picked], missing, picked


def _make_room(
    user: Array, track: Array, liked: Array, fans: tuple[Array, Array, Array]
) -> tuple[Array, Array, Array]:
    """Add the fans' rows in place of others of the same users, but never of a track's first row."""
    _, first = np.unique(track, return_index=True)
    spare: Bools = np.ones(len(user), dtype=bool)
    spare[first] = False
    latest = np.flatnonzero(spare)[::-1]
    extra = np.bincount(fans[0], minlength=user.max() + 1)
    # Reversed, users fall: the rank from a user's end.
    drop = latest[_count_before(user.max() - user[latest]) < extra[user[latest]]]
    kept = np.ones(len(user), dtype=bool)
    kept[drop] = False
    user, track, liked = (
        np.concatenate((a[kept], b)) for a, b in zip((user, track, liked), fans, strict=True)
    )
    order = np.argsort(user, kind="stable")
    return user[order], track[order], liked[order]


def _plays(knobs: Knobs, chance: Chance, user: Array, favourites: Favourites, liked: Array) -> Array:
    """Log-normal: the listener's own level, more for what is liked most, and noise."""
    level = 0.7 * chance.normal("level", knobs.n_users)[user]
    place = _count_before(favourites.user)
    n_favourites = np.bincount(favourites.user, minlength=knobs.n_users)
    liking = 1.5 * (0.5 - place[liked] / n_favourites[user])
    noise = chance.normal("plays", len(user))
    plays = knobs.plays_median * np.exp(level + liking + noise - 0.15)
    return np.maximum(np.rint(plays), 1).astype(np.int64)


def _first(knobs: Knobs, chance: Chance, favourites: Favourites, liked: Array) -> Array:
    """Soon after the artist was found, in seconds.

    The wait is a share of what is left of the log (exponential with a mean of 15 %, cut at 80 %). Were
    waits cut at the log's end instead, listens would pile up in its last days.
    """
    found = favourites.found[liked]
    wait = -0.15 * np.log1p(chance("wait", len(liked)) * np.expm1(-0.8 / 0.15))
    seconds = knobs.days * 86_400
    first: Array = np.clip((found + wait * (1 - found)) * seconds, 0, seconds - 1).astype(np.int64)
    return first


GENERATOR = 1  # a part of the identity: raised whenever the same knobs give other rows
END = 1_735_689_600  # 2025-01-01T00:00:00Z: the log ends with the second before
LEVELS = ("low", "medium", "high")


@dataclass(frozen=True)
class Simulated(Knobs):
    """The simulated log as a source; the knobs are those of :class:`Knobs`.

    User features: country, activeness (by the planned length of the history: the lowest and the highest
    quarter, and between). Item features: artist, genre (one or two).

    Args:
        name: name of the data set in tables.
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
