"""The default data set: a simulated listening log in the layout of Last.fm's lists of top tracks.

Nobody in it exists. Each listener has a main and a second genre, drawn by the taste of the country, and a set
of favourite artists in them, and plays their tracks; artists and tracks have long tails. Personal models must
therefore beat popularity, popularity must beat chance, and artist and genre say something about rare tracks.

There is one row for each (user, track): the number of plays up to the end of the log, and the time of the
first one. A split by time thus asks what a listener will discover, and no pair is on both sides of a cut.

`python -m bakeoff.data.synthetic plays.csv` writes such a log as a CSV file.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from scipy import sparse
from scipy.special import ndtri

from bakeoff.arrays import Array, Doubles, Hashes
from bakeoff.data.interactions import Features, Ids, Interactions
from bakeoff.data.source import Dataset, Step
from bakeoff.errors import ConfigError, UsageError
from bakeoff.hashing import hash_text
from bakeoff.parameters import Count, Range, Share, check_parameters

GENERATOR = 1  # part of the identity: raised whenever the same parameters give other rows
END = 1_735_689_600  # 2025-01-01T00:00:00Z: the log ends with the second before
LEVELS = ("low", "medium", "high")
SHORTEST = 3  # rows of a listener
MAIN_GENRE, SECOND_GENRE = 0.6, 0.25  # shares of a listener's artists; the rest follow the country's taste
SECOND_LISTING = 0.3  # share of artists with a second genre, and their weight in it

Exponent = Annotated[float, Range(low=0, high=5)]


@dataclass(frozen=True)
class Simulated:
    """The simulated log as a source.

    User features: country, activeness (low: the quarter of the shortest histories, high: of the longest).
    Item features: artist, genre (one or two).

    Args:
        n_users: number of listeners; each has at least 3 rows.
        n_items: number of tracks; each has at least one row.
        n_rows: number of (user, track) pairs, met to within 5 % where the histories leave room.
        n_genres: number of genres, each with at least one artist.
        n_countries: number of countries, the first the largest.
        tracks_per_artist: mean number of tracks of an artist.
        artist_exponent: inequality of artists: the artist of rank r has the weight r to the minus this.
        track_exponent: inequality of the tracks of one artist, likewise.
        history_spread: standard deviation of the log of a listener's number of tracks.
        mainstream: share of a listener's artists that come from the charts, whatever the taste.
        country_taste: difference between countries: standard deviation of the log of a genre's weight.
        drift: change in time: listeners turn to another genre, new artists appear; 0 is none.
        plays_median: plays of the median pair.
        days: length of the log in days; it ends with 2024-12-31.
        seed: seed of all random draws.
        name: name of the data set in tables.
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
    name: str = "simulated"

    def __post_init__(self) -> None:
        check_parameters(self, "dataset")
        if self.n_items < self.n_genres:
            raise ConfigError(
                f"dataset.n_items={self.n_items}: expected at least dataset.n_genres={self.n_genres}, "
                "a track for each genre"
            )
        least, most = max(SHORTEST * self.n_users, self.n_items), self.n_users * self.n_items // 4
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

    def files(self) -> Mapping[str, Path]:
        return {}

    def identity(self) -> dict[str, Any]:
        return {**asdict(self), "generator": GENERATOR}

    def load(self) -> Dataset:
        log = Log(self)
        titles = _titles(self, len(log.genre), log.artist)
        item_ids, item_code = _encoded([f"{track} | {artist}" for track, artist in titles])
        user_ids, user_code = _encoded(_usernames(self.n_users))
        countries = [f"country=country_{c + 1:02d}" for c in range(self.n_countries)]
        named = {a: name for (_, name), a in zip(titles, log.artist.tolist(), strict=True)}
        artists = [f"artist={named[a]}" for a in range(len(log.genre))]
        genres = [f"genre=genre_{g + 1:02d}" for g in range(self.n_genres)]
        genre, second = log.genre[log.artist], log.second[log.artist]
        both = second >= 0
        data = Interactions.of(
            user_code[log.user],
            item_code[log.track],
            log.plays.astype(np.float32),
            END - self.days * 86_400 + log.first,
            user_ids,
            item_ids,
            user_features=_one_hot(
                [(user_code, log.country), (user_code, self.n_countries + log.activeness)],
                [*countries, *(f"activeness={level}" for level in LEVELS)],
                self.n_users,
            ),
            item_features=_one_hot(
                [
                    (item_code, log.artist),
                    (item_code, len(artists) + genre),
                    (item_code[both], len(artists) + second[both]),
                ],
                artists + genres,
                self.n_items,
            ),
        )
        step = Step("simulate", len(data), self.n_users, self.n_items, f"seed {self.seed}; not real people")
        return Dataset(self.name, data, (step,))


class Log:
    """The simulated rows and what they were drawn from, for n rows, U users, I tracks and A artists.

    Every draw is a uniform number from the bits of PCG64, transformed by the inverse of its distribution:
    NumPy promises these bits for good and on every platform, but not its own distributions. Each purpose has
    a stream of its own, so that a new purpose does not move the others.

    Attributes:
        genre, second: int64 [A], genres of the artists, the most popular first; second is -1 for none.
        weight, debut: float64 [A], popularity of the artists; when they appear, a share of the log's time.
        artist, place: int64 [I], the artist of each track, and its place among the artist's tracks, from 0.
        country, main, other, later: int64 [U], country and genres of the listeners.
        length, joined: int64 [U], number of tracks aimed at; float64 [U], when they join, as a share.
        user, track: int64 [n], the rows, user by user, without repeats.
        plays, first: int64 [n], number of plays, and seconds from the log's start to the first one.
    """

    def __init__(self, config: Simulated) -> None:
        self._config = config
        self._draw_artists()
        self._draw_listeners()
        self._draw_favourites()
        self._draw_rows()
        self._add_unplayed_tracks()
        self._draw_plays()

    @property
    def activeness(self) -> Array:
        """int64 [U]: 0, 1 or 2, a position in LEVELS."""
        return np.searchsorted(np.quantile(self.length, [0.25, 0.75]), self.length, side="left")

    def _uniform(self, purpose: str, n: int) -> Doubles:
        """Return numbers in (0, 1), float64 [n]."""
        bits: Hashes = np.random.PCG64([self._config.seed, int(hash_text(purpose))]).random_raw(n)
        return ((bits >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53

    def _normal(self, purpose: str, n: int) -> Doubles:
        values: Doubles = ndtri(self._uniform(purpose, n))
        return values

    def _draw_artists(self) -> None:
        c = self._config
        n = max(c.n_genres, min(c.n_items, round(c.n_items / c.tracks_per_artist)))
        share = _power_law(c.n_genres, 0.7)
        self.genre = _choose(share, self._uniform("genre", n))
        self.genre[: c.n_genres] = np.arange(c.n_genres)
        self.second = _choose(share, self._uniform("second genre", n))
        self.second[(self._uniform("has second", n) > SECOND_LISTING) | (self.second == self.genre)] = -1
        self.weight = _power_law(n, c.artist_exponent)
        new = self._uniform("new artist", n) < c.drift
        self.debut = np.where(new, 0.9 * self._uniform("debut", n), 0.0)
        # Known artists have longer careers: their tracks grow with the inverse square root of the rank.
        ends = np.floor(np.cumsum(_power_law(n, 0.5)) * (c.n_items - n) + 0.5).astype(np.int64)
        self._n_tracks = 1 + np.diff(ends, prepend=0)
        self.artist = np.repeat(np.arange(n), self._n_tracks)
        self.rank = _rank_in_group(self.artist)

    def _draw_listeners(self) -> None:
        c = self._config
        n = c.n_users
        self.country = _choose(_power_law(c.n_countries, 0.8), self._uniform("country", n))
        leaning = np.exp(c.country_taste * self._normal("country's taste", c.n_countries * c.n_genres))
        self._taste = np.tile(_power_law(c.n_genres, 0.7), c.n_countries) * leaning
        self.main, self.other, self.later = (
            self._genre_of_country(self.country, purpose) for purpose in ("main", "second", "later")
        )
        length = np.exp(c.history_spread * self._normal("length", n))
        length = np.clip(length * (c.n_rows / length.sum()), SHORTEST, c.n_items / 3)
        length *= c.n_rows / length.sum()
        self.length: Array = np.maximum(np.rint(length), SHORTEST).astype(np.int64)
        self.joined = 0.5 * self._uniform("joined", n) ** 2

    def _genre_of_country(self, country: Array, purpose: str) -> Array:
        c = self._config
        sizes = np.full(c.n_countries, c.n_genres)
        return _pick(self._taste, sizes, country, self._uniform(purpose, len(country))) % c.n_genres

    def _draw_favourites(self) -> None:
        """Draw (user, artist) favourites, user by user, each with the moment when the artist was found."""
        c = self._config
        # About 23 artists for 50 tracks, as in Last.fm's lists of top tracks; fewer a track in longer ones.
        self._n_favourites = np.ceil(1.2 * self.length**0.75).astype(np.int64)
        user = np.repeat(np.arange(c.n_users), self._n_favourites)
        n = len(user)
        phase, source = self._uniform("phase", n), self._uniform("whose genre", n)
        by_country = self._genre_of_country(self.country[user], "country's genre")
        genre = np.where(source < MAIN_GENRE + SECOND_GENRE, self.other[user], by_country)
        genre = np.where(source < MAIN_GENRE, self.main[user], genre)
        turned = self._uniform("turn", n) < c.drift * phase
        genre = np.where(turned, self.later[user], genre)

        # An artist is listed under its genre, and with less weight under its second one.
        again = np.flatnonzero(self.second >= 0)
        listed_genre = np.concatenate((self.genre, self.second[again]))
        order = np.argsort(listed_genre, kind="stable")
        weight = np.concatenate((self.weight, SECOND_LISTING * self.weight[again]))[order]
        listed = np.concatenate((np.arange(len(self.genre)), again))[order]
        sizes = np.bincount(listed_genre, minlength=c.n_genres)
        artist = listed[_pick(weight, sizes, genre, self._uniform("artist", n))]
        charts = self._uniform("charts", n) < c.mainstream
        artist = np.where(charts, _choose(self.weight, self._uniform("chart", n)), artist)
        joined = self.joined[user]
        self._fan, self._favourite = user, artist
        self._when = np.maximum(joined + phase * (1 - joined), self.debut[artist])

    def _draw_rows(self) -> None:
        """Draw distinct (user, track) rows, user by user, and the favourite that led to each."""
        c = self._config
        user = np.repeat(np.arange(c.n_users), 3 * self.length + 30)
        before = np.cumsum(self._n_favourites) - self._n_favourites
        # The first favourites are played most.
        within = (self._n_favourites[user] * self._uniform("favourite", len(user)) ** 1.5).astype(np.int64)
        cause = before[user] + within
        weight = (1.0 + self.rank) ** -c.track_exponent
        track = _pick(weight, self._n_tracks, self._favourite[cause], self._uniform("track", len(user)))
        _, new = np.unique(user * c.n_items + track, return_index=True)
        new.sort()
        new = new[_rank_in_group(user[new]) < self.length[user[new]]]
        self.user, self.track, self._cause = user[new], track[new], cause[new]

    def _add_unplayed_tracks(self) -> None:
        """Give each track that nobody has played to one who likes the artist, else to anyone.

        The row takes the place of another of the same user, but never of the first row of a track.
        """
        c = self._config
        missing = np.flatnonzero(np.bincount(self.track, minlength=c.n_items) == 0)
        artist, uniform = self.artist[missing], self._uniform("fan", len(missing))
        order = np.argsort(self._favourite, kind="stable")
        sizes = np.bincount(self._favourite, minlength=len(self.genre))
        cause = (uniform * len(order)).astype(np.int64)
        liked = sizes[artist] > 0
        cause[liked] = order[_pick(np.ones(len(order)), sizes, artist[liked], uniform[liked])]
        fan = self._fan[cause]

        spare = np.ones(len(self.user), dtype=bool)
        spare[np.unique(self.track, return_index=True)[1]] = False
        latest = np.flatnonzero(spare)[::-1]
        extra = np.bincount(fan, minlength=self.user.max() + 1)
        owner = self.user[latest]
        remaining = np.ones(len(self.user), dtype=bool)
        remaining[latest[_rank_in_group(self.user.max() - owner) < extra[owner]]] = False
        pairs = ((self.user, fan), (self.track, missing), (self._cause, cause))
        user, track, causes = (np.concatenate((old[remaining], new)) for old, new in pairs)
        order = np.argsort(user, kind="stable")
        self.user, self.track, self._cause = user[order], track[order], causes[order]

    def _draw_plays(self) -> None:
        c = self._config
        # Log-normal: the listener's own level, more for what is liked most, and noise.
        level = 0.7 * self._normal("level", c.n_users)[self.user]
        rank = _rank_in_group(self._fan)[self._cause]
        liking = 1.5 * (0.5 - rank / self._n_favourites[self.user])
        noise = self._normal("plays", len(self.user))
        plays = c.plays_median * np.exp(level + liking + noise - 0.15)
        self.plays: Array = np.maximum(np.rint(plays), 1).astype(np.int64)
        # A track is first played after a share of the log that remains when its artist is found (exponential,
        # mean 15 %, cut at 80 %); with a cut at the log's end, listens would pile up in its last days.
        start = self._when[self._cause]
        wait = -0.15 * np.log1p(self._uniform("wait", len(start)) * np.expm1(-0.8 / 0.15))
        seconds = c.days * 86_400
        self.first: Array = np.clip((start + wait * (1 - start)) * seconds, 0, seconds - 1).astype(np.int64)


def _pick(weights: Doubles, sizes: Array, segments: Array, uniform: Doubles) -> Array:
    """Pick an entry of each segment by weight, int64 [n]; weights are laid out in segments of the given
    sizes.
    """
    starts, sums = np.concatenate(([0], np.cumsum(sizes))), np.concatenate(([0.0], np.cumsum(weights)))
    first, end = starts[segments], starts[segments + 1]
    low, high = sums[first], sums[end]
    at = np.searchsorted(sums, low + uniform * (high - low), side="right") - 1
    picked: Array = np.clip(at, first, end - 1)
    return picked


def _choose(weights: Doubles, uniform: Doubles) -> Array:
    """Return a position in weights for each uniform number, by weight, int64 [n]."""
    return _pick(weights, np.array([len(weights)]), np.zeros(len(uniform), dtype=np.int64), uniform)


def _power_law(n: int, exponent: float) -> Doubles:
    """Return weights of the ranks 1 to n, rank to the minus exponent, that sum to 1, float64 [n]."""
    weights = np.arange(1, n + 1, dtype=np.float64) ** -exponent
    shares: Doubles = weights / weights.sum()
    return shares


def _rank_in_group(groups: Array) -> Array:
    """Return the number of earlier rows of the same group, int64 [n]; rows of a group are adjacent."""
    starts = np.flatnonzero(np.diff(groups, prepend=-1))
    return np.arange(len(groups)) - np.repeat(starts, np.diff(starts, append=len(groups)))


def _usernames(n: int) -> list[str]:
    return [f"user_{i + 1:04d}" for i in range(n)]


def _titles(config: Simulated, n_artists: int, artist: Array) -> list[tuple[str, str]]:
    """Return (track, artist) of each track: artists have distinct names, and so have the tracks of an
    artist.
    """
    onsets = ("b", "dr", "f", "k", "l", "m", "n", "p", "s", "tr", "v", "z")
    syllables = [a + b for a in onsets for b in "aeiou"]
    pairs = ["".join(p) for p in itertools.product(syllables, repeat=2)]
    key = np.random.PCG64([config.seed, int(hash_text("words"))]).random_raw(len(pairs)) >> np.uint64(11)
    words = [pairs[i].capitalize() for i in np.argsort(key, kind="stable")]
    n = len(words)
    # A stride without a common factor with n * n walks through all pairs of words before it repeats one.
    at = (np.arange(n_artists) * 7_919) % (n * n)
    artists = [f"{words[p // n]} {words[p % n]}" for p in at.tolist()]
    at = (np.arange(config.n_items) * 104_729 + n // 2) % (n * n)
    tracks = [f"{words[p // n]} {words[p % n].lower()}" for p in at.tolist()]
    return [(t, artists[a]) for t, a in zip(tracks, artist.tolist(), strict=True)]


def _encoded(texts: list[str]) -> tuple[Ids, Array]:
    """Return distinct texts as ids, and the code of each (int32)."""
    codes = np.empty(len(texts), dtype=np.int32)
    codes[sorted(range(len(texts)), key=texts.__getitem__)] = np.arange(len(texts), dtype=np.int32)
    return Ids.of(texts), codes


def _one_hot(entries: Sequence[tuple[Array, Array]], names: Sequence[str], size: int) -> Features:
    rows, columns = (np.concatenate(a) for a in zip(*entries, strict=True))
    ones = np.ones(len(rows), dtype=np.float32)
    return Features(sparse.csr_matrix((ones, (rows, columns)), shape=(size, len(names))), tuple(names))


def write_csv(path: str | Path, config: Simulated | None = None) -> int:
    """Write the log in the layout of `user_songs_filtered.csv`, and return the number of rows.

    The columns: Username, track_name, artist_name, rank (1 = most played of the user), playcount, country,
    log_total_track_count and log_total_artist_count (natural logs of the user's numbers of tracks and
    artists), activeness_low, activeness_medium, activeness_high (0 or 1), and, beyond that layout, when: the
    first listen in UTC (ISO 8601).
    """
    import pandas as pd

    config = config or Simulated()
    log = Log(config)
    titles = np.array(_titles(config, len(log.genre), log.artist), dtype=object)
    order = np.lexsort((log.track, -log.plays, log.user))
    user, track = log.user[order], log.track[order]
    n_tracks = np.bincount(user, minlength=config.n_users)
    pairs = np.unique(log.user * len(log.genre) + log.artist[log.track]) // len(log.genre)
    n_artists = np.bincount(pairs, minlength=config.n_users)
    when = pd.to_datetime(END - config.days * 86_400 + log.first[order], unit="s")
    frame = pd.DataFrame(
        {
            "Username": np.array(_usernames(config.n_users))[user],
            "track_name": titles[track, 0],
            "artist_name": titles[track, 1],
            "rank": _rank_in_group(user) + 1,
            "playcount": log.plays[order],
            "country": np.array([f"country_{c + 1:02d}" for c in log.country])[user],
            "log_total_track_count": np.log(n_tracks).round(6)[user],
            "log_total_artist_count": np.log(n_artists).round(6)[user],
            **{
                f"activeness_{name}": (log.activeness == i).astype(int)[user] for i, name in enumerate(LEVELS)
            },
            "when": when.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
    )
    frame.to_csv(path, index=False, lineterminator="\n")
    return len(frame)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write a simulated log as CSV; every parameter is an option."""
    parser = argparse.ArgumentParser(prog="python -m bakeoff.data.synthetic", description=main.__doc__)
    parser.add_argument("path", type=Path, help="the CSV file to write")
    for field in fields(Simulated):
        option = "--" + field.name.replace("_", "-")
        parser.add_argument(
            option, type=type(field.default), default=field.default, help="default: %(default)s"
        )
    options = vars(parser.parse_args(arguments))
    path = options.pop("path")
    try:
        rows = write_csv(path, Simulated(**options))
    except UsageError as error:
        parser.error(str(error))
    except OSError as error:
        parser.error(f"{path}: cannot be written: {error}")
    sys.stdout.write(f"{path}: {rows} rows\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
