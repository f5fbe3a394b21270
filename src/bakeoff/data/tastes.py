"""The simulated listeners: who likes what, what they play, how often and since when, as arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bakeoff.arrays import Array, Bools, Doubles
from bakeoff.data.chance import Chance, Wheel, choose, ranked
from bakeoff.data.knobs import SHORTEST, Knobs

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
