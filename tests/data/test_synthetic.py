"""The simulated log: its layout, its long tail, its planted tastes, and that it never changes by itself."""

import os
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from bakeoff.data.interactions import Interactions
from bakeoff.data.readers import Table
from bakeoff.data.synthetic import END, Log, Simulated, main, write_csv
from bakeoff.errors import ConfigError

SMALL = Simulated(n_users=150, n_items=400, n_rows=4000, n_genres=8, n_countries=4)
SEED_SIZE = Simulated(n_users=9483, n_items=143_000, n_rows=393_119)


@pytest.fixture(scope="module")
def default() -> Interactions:
    return Simulated().load().interactions


@pytest.fixture(scope="module")
def seed_size() -> tuple[Interactions, int]:
    """The log of the real one's size, and the peak of memory while it is drawn, in bytes."""
    tracemalloc.start()
    data = SEED_SIZE.load().interactions
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return data, peak


def test_the_same_parameters_give_the_same_rows_on_every_platform(default: Interactions) -> None:
    assert default.fingerprint == "97285e386ac5adf5562591e0c2835e64b2cdd874256c83623d57090c26175099"


def test_another_seed_gives_other_rows() -> None:
    assert SMALL.load().interactions.fingerprint != replace(SMALL, seed=1).load().interactions.fingerprint


def test_every_user_and_every_item_has_a_row_and_no_pair_repeats(default: Interactions) -> None:
    assert default.summary() | {"first": 0, "last": 0} == {
        "rows": len(default),
        "pairs": len(default),
        "users": 1200,
        "items": 4000,
        "density": pytest.approx(len(default) / 4.8e6),
        "first": 0,
        "last": 0,
    }
    assert np.bincount(default.users).min() >= 3
    assert len(default) == pytest.approx(66_000, rel=0.05)


def test_times_lie_within_the_days_of_the_log(default: Interactions) -> None:
    assert default.times is not None
    assert END - 730 * 86_400 <= default.times.min() < default.times.max() < END
    quarters = np.histogram(default.times, 4, (END - 730 * 86_400, END))[0]
    assert quarters.min() > 0.04 * len(default)
    assert np.histogram(default.times, 24, (END - 730 * 86_400, END))[0][-1] < 0.08 * len(default)


@settings(max_examples=30, deadline=None)
@given(
    n_users=st.integers(13, 60),
    n_items=st.integers(12, 90),
    n_genres=st.integers(1, 12),
    n_countries=st.integers(1, 5),
    fill=st.floats(0, 1),
    spread=st.floats(0, 3),
    drift=st.floats(0, 1),
    seed=st.integers(0, 2**40),
)
def test_any_size_gives_a_whole_log(
    n_users: int,
    n_items: int,
    n_genres: int,
    n_countries: int,
    fill: float,
    spread: float,
    drift: float,
    seed: int,
) -> None:
    least, most = max(3 * n_users, n_items), n_users * n_items // 4
    if least > most:
        return
    parameters = Simulated(
        n_users=n_users,
        n_items=n_items,
        n_rows=int(least + fill * (most - least)),
        n_genres=n_genres,
        n_countries=n_countries,
        history_spread=spread,
        drift=drift,
        seed=seed,
    )
    data = parameters.load().interactions
    pairs = data.users.astype(np.int64) * n_items + data.items
    assert len(np.unique(pairs)) == len(data)
    assert np.bincount(data.users, minlength=n_users).min() >= 1
    assert np.bincount(data.items, minlength=n_items).min() >= 1
    assert data.values is not None
    assert data.values.min() >= 1


def test_features_say_the_artist_and_the_genre_of_a_track_and_the_country_of_a_user() -> None:
    data = SMALL.load().interactions
    items, users = data.item_features, data.user_features
    assert items is not None
    assert users is not None
    for code, text in enumerate(data.item_ids.values):
        names = [items.names[c] for c in items.matrix[code].indices]
        assert f"artist={text.split(' | ')[1]}" in names
        assert len(names) - 1 == sum(n.startswith("genre=") for n in names) in (1, 2)
    country = [n.startswith("country=") for n in users.names]
    assert (users.matrix[:, np.flatnonzero(country)].sum(axis=1) == 1).all()
    assert (users.matrix[:, np.flatnonzero(~np.array(country))].sum(axis=1) == 1).all()


def test_active_users_have_longer_histories(default: Interactions) -> None:
    users = default.user_features
    assert users is not None
    lengths = np.bincount(default.users)
    low, middle, high = (
        lengths[users.matrix[:, users.names.index(f"activeness={level}")].nonzero()[0]]
        for level in ("low", "medium", "high")
    )
    assert low.mean() < middle.mean() < high.mean()
    assert len(low) == pytest.approx(300, abs=40)


def test_a_listener_mostly_plays_the_planted_genres() -> None:
    log = Log(replace(SMALL, drift=0.0, mainstream=0.0))
    artist = log.artist[log.track]
    listed = np.stack([log.genre[artist], log.second[artist]])
    own = np.stack([log.main[log.user], log.other[log.user]])
    share = (listed[:, None] == own[None]).any(axis=(0, 1)).mean()
    rotated = np.roll(own, len(log.user) // 2, axis=1)
    assert share > 0.8
    assert share > 1.5 * (listed[:, None] == rotated[None]).any(axis=(0, 1)).mean()


def test_taste_depends_on_the_country_only_if_asked() -> None:
    def most_common(country_taste: float) -> float:
        log = Log(Simulated(country_taste=country_taste))
        tables = [np.bincount(log.main[log.country == c], minlength=20) for c in range(6)]
        shares = np.array([t / t.sum() for t in tables])
        return float(np.abs(shares - shares.mean(axis=0)).sum(axis=1).mean())

    assert most_common(1.5) > 2 * most_common(0.0)


def test_new_artists_appear_only_if_there_is_drift() -> None:
    still, moving = Log(replace(SMALL, drift=0.0)), Log(replace(SMALL, drift=0.5))
    assert not still.debut.any()
    assert 0.3 < (moving.debut > 0).mean() < 0.7
    debut = np.floor(moving.debut[moving.artist[moving.track]] * SMALL.days * 86_400)
    assert (moving.first >= debut).all()


def test_what_is_liked_is_played_more_and_by_the_median_that_was_asked(default: Interactions) -> None:
    assert default.values is not None
    assert np.median(default.values) == pytest.approx(250, rel=0.1)


def _parts(data: Interactions, rank: np.ndarray) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    """Train and test, one fifth of each user's rows (those that rank last) in test."""
    order = np.lexsort((rank, data.users))
    lengths = np.bincount(data.users)
    position = np.arange(len(data)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    in_test = np.empty(len(data), dtype=bool)
    in_test[order] = position >= np.round(0.8 * lengths[data.users])
    ones = np.ones(len(data), dtype=np.float32)
    return tuple(
        sparse.csr_matrix((ones[m], (data.users[m], data.items[m])), shape=(data.n_users, data.n_items))
        for m in (~in_test, in_test)
    )  # type: ignore[return-value]


def _ndcg(scores: np.ndarray, train: sparse.csr_matrix, test: sparse.csr_matrix) -> np.ndarray:
    """nDCG@10 of each user."""
    scores = scores.copy()
    scores[train.nonzero()] = -np.inf
    top = np.argpartition(-scores, 10, axis=1)[:, :10]
    order = np.argsort(-np.take_along_axis(scores, top, axis=1), axis=1, kind="stable")
    top = np.take_along_axis(top, order, axis=1)
    hits = np.take_along_axis(test.toarray(), top, axis=1) > 0
    gain = 1 / np.log2(np.arange(2, 12))
    best = np.cumsum(gain)[np.minimum(test.getnnz(axis=1), 10) - 1]
    return np.asarray(hits @ gain / best)


@pytest.mark.parametrize("by", ["chance", "time"])
def test_chance_is_beaten_by_popularity_and_popularity_by_what_is_personal(
    default: Interactions, by: str
) -> None:
    from implicit.als import AlternatingLeastSquares
    from threadpoolctl import threadpool_limits

    rng = np.random.default_rng(0)
    train, test = _parts(default, rng.random(len(default)) if by == "chance" else default.times)
    counts = np.asarray(train.sum(axis=0)).ravel()
    scaled = train @ sparse.diags(1 / np.sqrt(np.maximum(counts, 1)))
    similar = scaled.T @ scaled
    similar -= sparse.diags(similar.diagonal())
    with threadpool_limits(1, "blas"):
        als = AlternatingLeastSquares(factors=32, regularization=1, alpha=10, num_threads=1, random_state=1)
        als.fit(train, show_progress=False)
    scores = {
        "random": rng.random(train.shape),
        "popularity": np.tile(counts, (train.shape[0], 1)),
        "itemknn": (train @ similar).toarray(),
        "als": als.user_factors @ als.item_factors.T,
    }
    mean = {name: _ndcg(s, train, test).mean() for name, s in scores.items()}
    assert mean["random"] < 0.01
    assert mean["popularity"] > 5 * mean["random"]
    assert min(mean["itemknn"], mean["als"]) > 2 * mean["popularity"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_item_features_help_warp_also_where_histories_are_short(default: Interactions) -> None:
    from lightfm import LightFM

    train, test = _parts(default, np.random.default_rng(0).random(len(default)))
    assert default.item_features is not None
    weighted = sparse.hstack([sparse.identity(default.n_items), default.item_features.matrix]).tocsr()
    weighted = sparse.diags(1 / np.asarray(weighted.sum(axis=1)).ravel()).dot(weighted).astype(np.float32)

    def warp(features: sparse.csr_matrix | None) -> np.ndarray:
        model = LightFM(no_components=16, loss="warp", random_state=1)
        model.fit(train.tocoo(), item_features=features, epochs=15)
        bias, factors = model.get_item_representations(features)
        return _ndcg(model.user_embeddings @ factors.T + bias, train, test)

    plain, helped = warp(None), warp(weighted)
    short = train.getnnz(axis=1) <= np.quantile(train.getnnz(axis=1), 0.25)
    assert helped.mean() > 1.05 * plain.mean()
    assert helped[short].mean() > plain[short].mean()


def test_a_csv_file_of_the_log_reads_as_the_log(tmp_path: Path) -> None:
    path = tmp_path / "plays.csv"
    assert write_csv(path, SMALL) == len(SMALL.load().interactions)
    table = Table(
        path=str(path), user="Username", item=["track_name", "artist_name"], value="playcount", time="when"
    )
    assert table.load().interactions.fingerprint == SMALL.load().interactions.fingerprint


def test_the_csv_file_has_the_layout_of_user_songs_filtered(tmp_path: Path) -> None:
    import pandas as pd

    path = tmp_path / "plays.csv"
    write_csv(path, SMALL)
    frame = pd.read_csv(path)
    assert ",".join(frame.columns) == (
        "Username,track_name,artist_name,rank,playcount,country,log_total_track_count,log_total_artist_count,"
        "activeness_low,activeness_medium,activeness_high,when"
    )
    for _, rows in frame.groupby("Username"):
        assert rows["rank"].tolist() == list(range(1, len(rows) + 1))
        assert rows["playcount"].is_monotonic_decreasing
        assert rows["country"].nunique() == 1
        assert rows["log_total_track_count"].iloc[0] == pytest.approx(np.log(len(rows)), abs=1e-6)
        assert rows["log_total_artist_count"].iloc[0] == pytest.approx(
            np.log(rows["artist_name"].nunique()), abs=1e-6
        )
    assert (frame.filter(like="activeness").sum(axis=1) == 1).all()


def test_the_command_writes_a_file_with_the_parameters_that_are_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "plays.csv"
    parameters = ["--n-users", "150", "--n-items", "400", "--n-rows", "4000", "--n-genres", "8"]
    assert main([str(path), *parameters, "--n-countries", "4"]) == 0
    rows = len(SMALL.load().interactions)
    assert capsys.readouterr().out == f"{path}: {rows} rows\n"
    assert len(path.read_text().splitlines()) == rows + 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["plays.csv", "--n-users", "0"], "dataset.n_users=0: expected a whole number >= 1"),
        (["no/such/folder/plays.csv"], "no/such/folder/plays.csv: cannot be written"),
    ],
)
def test_the_command_answers_a_wrong_option_in_one_line(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_users": 0}, "dataset.n_users=0: expected a whole number >= 1"),
        ({"n_rows": 3}, "dataset.n_rows=3: expected 4000 to 1200000"),
        ({"n_users": 2}, "dataset.n_users=2, dataset.n_items=4000: too few for a log"),
        ({"n_genres": 5000}, "dataset.n_items=4000: expected at least dataset.n_genres=5000"),
        ({"drift": 1.5}, "dataset.drift=1.5: expected a number >= 0 and <= 1"),
        ({"plays_median": float("nan")}, "dataset.plays_median=nan: expected a number >= 1"),
        ({"seed": -1}, "dataset.seed=-1: expected a whole number >= 0"),
    ],
)
def test_a_parameter_that_cannot_be_is_refused_by_name(parameters: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace("+", r"\+")):
        Simulated(**parameters)  # type: ignore[arg-type]


def test_identity_names_every_parameter_and_the_generator() -> None:
    identity = Simulated().identity()
    assert set(identity) == {*Simulated.__dataclass_fields__, "generator"}
    assert Simulated().identity() == identity != Simulated(seed=1).identity()
    assert not Simulated().files()


def test_the_yaml_file_holds_every_parameter_at_its_default() -> None:
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    path = Path(__file__).parents[2] / "conf/dataset/simulated.yaml"
    assert instantiate(OmegaConf.load(path)) == Simulated()
    assert set(OmegaConf.load(path)) == {*Simulated.__dataclass_fields__, "_target_"}


def _tail(items: np.ndarray) -> dict[str, float]:
    """Gini, shares of the most popular, and share with one user, of items that have a row."""
    counts = np.sort(np.unique(items, return_counts=True)[1])
    n = len(counts)
    return {
        "gini": float((2 * np.arange(1, n + 1) - n - 1) @ counts / (n * counts.sum())),
        "top 1 %": float(counts[-(n // 100) :].sum() / counts.sum()),
        "top 10 %": float(counts[-(n // 10) :].sum() / counts.sum()),
        "single": float((counts == 1).mean()),
    }


@pytest.fixture(scope="module")
def public() -> Path:
    if "BAKEOFF_DATA" not in os.environ:
        pytest.skip("BAKEOFF_DATA names no folder of public data sets")
    return Path(os.environ["BAKEOFF_DATA"])


@pytest.mark.real_data
def test_the_long_tail_of_the_default_lies_between_those_of_real_logs(
    public: Path, default: Interactions
) -> None:
    import pandas as pd

    artists = pd.read_csv(public / "hetrec2011-lastfm-2k/user_artists.dat", sep="\t")["artistID"]
    products = pd.read_csv(public / "online-retail/interactions.csv.gz")["product"]
    films = pd.read_csv(public / "ml-100k/u.data", sep="\t", header=None)[1]
    real = [_tail(np.asarray(items.factorize()[0])) for items in (artists, products, films)]
    for name, value in _tail(default.items).items():
        low, high = min(r[name] for r in real), max(r[name] for r in real)
        assert low <= value <= high, f"{name}: {value:.3f}, real logs {low:.3f} to {high:.3f}"


@pytest.mark.real_data
def test_history_lengths_lie_between_those_of_real_logs(public: Path, default: Interactions) -> None:
    import pandas as pd

    logs = (
        pd.read_csv(public / "hetrec2011-lastfm-2k/user_artists.dat", sep="\t")["userID"],
        pd.read_csv(public / "online-retail/interactions.csv.gz")["customer"],
        pd.read_csv(public / "ml-100k/u.data", sep="\t", header=None)[0],
    )
    shares = [0.1, 0.25, 0.5, 0.75, 0.9]
    real = np.array([np.quantile(users.value_counts(), shares) for users in logs])
    simulated = np.quantile(np.bincount(default.users), shares)
    assert (simulated >= real.min(axis=0)).all()
    assert (simulated <= real.max(axis=0)).all()


@pytest.mark.real_data
def test_play_counts_are_spread_as_in_hetrec(public: Path, default: Interactions) -> None:
    import pandas as pd

    plays = pd.read_csv(public / "hetrec2011-lastfm-2k/user_artists.dat", sep="\t")["weight"]
    shares = [0.1, 0.25, 0.5, 0.75, 0.9, 0.99]
    assert default.values is not None
    ratio = np.quantile(default.values, shares) / np.quantile(plays, shares)
    assert (ratio > 0.6).all()
    assert (ratio < 1.6).all()


@pytest.mark.real_data
def test_a_sample_at_seed_size_has_the_long_tail_of_the_real_sample_of_that_size(
    public: Path, seed_size: tuple[Interactions, int]
) -> None:
    import pandas as pd

    data, _ = seed_size
    real = pd.read_csv(public / "seed-lastfm/lightfm_test.csv")["itemID"].to_numpy()
    rows = np.random.default_rng(0).permutation(len(data))[: len(real)]
    sample = data.items[rows]
    assert len(np.unique(sample)) == pytest.approx(len(np.unique(real)), rel=0.05)
    simulated, measured = _tail(sample), _tail(real)
    assert simulated["gini"] == pytest.approx(measured["gini"], abs=0.05)
    assert simulated["top 1 %"] == pytest.approx(measured["top 1 %"], abs=0.05)
    assert simulated["top 10 %"] == pytest.approx(measured["top 10 %"], abs=0.05)
    assert simulated["single"] == pytest.approx(measured["single"], abs=0.05)


@pytest.mark.slow
def test_the_seed_size_takes_less_than_a_gigabyte(seed_size: tuple[Interactions, int]) -> None:
    data, peak = seed_size
    assert peak < 1e9
    assert data.n_items == 143_000
    assert len(data) == pytest.approx(393_119, rel=0.01)
