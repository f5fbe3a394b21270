"""What the simulated log is to look like."""

from __future__ import annotations

from dataclasses import dataclass

from bakeoff.errors import ConfigError, check_range

SHORTEST = 3  # rows of a listener


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

    n_users: int = 1200
    n_items: int = 4000
    n_rows: int = 66_000
    n_genres: int = 20
    n_countries: int = 12
    tracks_per_artist: float = 5.0
    artist_exponent: float = 0.95
    track_exponent: float = 0.9
    history_spread: float = 0.8
    mainstream: float = 0.15
    country_taste: float = 1.5
    drift: float = 0.2
    plays_median: float = 250.0
    days: int = 730
    seed: int = 20

    def __post_init__(self) -> None:
        for name in ("n_users", "n_items", "n_rows", "n_genres", "n_countries", "days"):
            check_range(f"dataset.{name}", getattr(self, name), 1, integer=True)
        check_range("dataset.seed", self.seed, 0, integer=True)
        check_range("dataset.tracks_per_artist", self.tracks_per_artist, 1)
        check_range("dataset.plays_median", self.plays_median, 1)
        for name in ("artist_exponent", "track_exponent", "history_spread", "country_taste"):
            check_range(f"dataset.{name}", getattr(self, name), 0, 5)
        for name in ("mainstream", "drift"):
            check_range(f"dataset.{name}", getattr(self, name), 0, 1)
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
