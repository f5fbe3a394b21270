"""Public data sets: where their files are looked for, and what the shipped configurations read of them."""

from __future__ import annotations

import functools
import hashlib
import http.server
import os
import tarfile
import threading
import zipfile
from pathlib import Path

import pytest
import yaml

from bakeoff.data.download import Origin
from bakeoff.errors import DataError
from bakeoff.run.cell import build_source

CONF = Path(__file__).parents[2] / "conf" / "dataset"
NAMES = sorted(p.stem for p in CONF.glob("*.yaml") if p.stem not in ("csv", "simulated"))
RATINGS = "userId,movieId,rating,timestamp\n1,10,4.0,964982703\n2,20,3.5,964982704\n"


def shipped(name, **parameters):
    """The source that a shipped configuration describes."""
    return build_source({**yaml.safe_load((CONF / f"{name}.yaml").read_text(encoding="utf-8")), **parameters})


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty BAKEOFF_DATA, an empty cache, and a way to put files into the first."""
    monkeypatch.setenv("BAKEOFF_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def put(sub_folder, files):
        directory = tmp_path / "data" / sub_folder
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (directory / name).write_text(text, encoding="utf-8")
        return directory

    return put


@pytest.fixture
def publisher(tmp_path):
    """A web server over a folder; gives its address, the folder and the list of requests."""
    directory = tmp_path / "www"
    directory.mkdir()
    paths = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *words):
            paths.append(self.path)

    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=directory)
    ) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", directory, paths
        server.shutdown()


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


class TestFinding:
    def origin(self, **parameters):
        return Origin(
            **{"folder": "ml", "home": "https://example.org/ml", "files": {"r.csv": None}, **parameters}
        )

    def test_the_users_folder_comes_before_the_cache(self, folder, tmp_path):
        cached = tmp_path / "cache" / "bakeoff" / "data" / "ml" / "r.csv"
        cached.parent.mkdir(parents=True)
        cached.write_text("")
        assert self.origin().find("r.csv") == cached
        assert (
            self.origin().find("r.csv")
            != folder("ml", {"r.csv": ""}) / "r.csv"
            == self.origin().find("r.csv")
        )

    def test_an_unpacked_archive_may_lie_there_as_it_is(self, folder):
        directory = folder("ml/ml-1m", {"r.csv": ""})
        assert self.origin(inside="ml-1m").find("r.csv") == directory / "r.csv"

    def test_a_file_of_the_users_own_is_taken_as_it_is(self, folder, tmp_path):
        (tmp_path / "mine.csv").write_text("")
        assert self.origin().find(str(tmp_path / "mine.csv")) == tmp_path / "mine.csv"

    def test_any_other_file_of_the_folder_can_be_named(self, folder):
        directory = folder("ml", {"u1.base": ""})
        assert self.origin().find("u1.base") == directory / "u1.base"

    def test_what_cannot_be_downloaded_is_told_where_to_get_and_where_to_put(self, folder):
        with pytest.raises(DataError, match=r"r\.csv of ml is not here .*https://example\.org/ml .*data/ml$"):
            self.origin().find("r.csv")

    def test_without_a_folder_the_variable_is_explained(self, folder, monkeypatch):
        monkeypatch.delenv("BAKEOFF_DATA")
        with pytest.raises(DataError, match=r"into \$BAKEOFF_DATA/ml, where the environment variable"):
            self.origin().find("r.csv")

    def test_an_unknown_file_is_an_error(self, folder):
        with pytest.raises(DataError, match=r"nope\.csv: no such file"):
            self.origin(url="http://127.0.0.1:9/x.zip").find("nope.csv")

    def test_no_network_is_one_line(self, folder):
        with pytest.raises(DataError, match=r"is not here .*get it from") as caught:
            self.origin(url="http://127.0.0.1:9/x.zip").find("r.csv")
        assert "\n" not in str(caught.value)

    def test_an_archive_is_downloaded_once(self, folder, publisher):
        address, directory, paths = publisher
        with zipfile.ZipFile(directory / "ml.zip", "w") as archive:
            archive.writestr("ml-1m/r.csv", RATINGS)
            archive.writestr("ml-1m/large.csv", "not wanted")
        checksum = "sha256:" + hashlib.sha256((directory / "ml.zip").read_bytes()).hexdigest()
        origin = self.origin(url=f"{address}/ml.zip", checksum=checksum, inside="ml-1m")
        assert not origin.present("r.csv")
        assert origin.find("r.csv").read_text() == RATINGS
        assert origin.present("r.csv")
        origin.find("r.csv")
        assert paths == ["/ml.zip"]
        assert not origin.present("large.csv")

    def test_a_tar_archive_too(self, folder, publisher, tmp_path):
        address, directory, _ = publisher
        (tmp_path / "r.csv").write_text(RATINGS)
        with tarfile.open(directory / "ml.tar.gz", "w:gz") as archive:
            archive.add(tmp_path / "r.csv", "deep/r.csv")
        assert self.origin(url=f"{address}/ml.tar.gz", inside="deep").find("r.csv").read_text() == RATINGS

    def test_an_archive_that_is_not_the_published_one_is_refused(self, folder, publisher):
        address, directory, _ = publisher
        with zipfile.ZipFile(directory / "ml.zip", "w") as archive:
            archive.writestr("r.csv", RATINGS)
        with pytest.raises(DataError, match=r"checksum of .*ml\.zip is not md5:0000"):
            self.origin(url=f"{address}/ml.zip", checksum="md5:" + "0" * 32).find("r.csv")
        for _ in range(2):  # what was refused once is not found the second time
            with pytest.raises(DataError, match="SHA-256 differs"):
                self.origin(url=f"{address}/ml.zip", files={"r.csv": "0" * 64}).find("r.csv")

    def test_a_page_in_place_of_an_archive_is_told_and_not_kept(self, folder, publisher, tmp_path):
        address, directory, _ = publisher
        (directory / "ml.zip").write_text("<html>please log in</html>")
        with pytest.raises(DataError, match="is no archive"):
            self.origin(url=f"{address}/ml.zip").find("r.csv")
        assert not list((tmp_path / "cache").rglob("ml.zip"))

    def test_an_archive_without_the_file_is_told(self, folder, publisher):
        address, directory, _ = publisher
        with zipfile.ZipFile(directory / "ml.zip", "w") as archive:
            archive.writestr("other.csv", RATINGS)
        with pytest.raises(DataError, match="does not hold it"):
            self.origin(url=f"{address}/ml.zip").find("r.csv")

    def test_a_changed_file_is_told_but_read(self, folder):
        directory = folder("ml", {"r.csv": RATINGS})
        origin = self.origin(files={"r.csv": "0" * 64})
        assert origin.changed({"rows": directory / "r.csv"}) == [
            "r.csv is not the published file (its SHA-256 differs)"
        ]
        assert self.origin(files={"r.csv": digest(RATINGS)}).changed({"rows": directory / "r.csv"}) == []


class TestShipped:
    """What the configurations declare, on small files of the published layout."""

    @pytest.mark.parametrize("name", NAMES)
    def test_each_is_built_and_says_where_to_get_it(self, name, folder):
        source = shipped(name, origin={**shipped(name).origin, "url": None})
        assert source.name == name
        with pytest.raises(DataError, match=rf"get it from .*{source.origin['folder']}"):
            source.load()

    @pytest.mark.parametrize("name", ["ml_latest_small", "ml_20m", "ml_25m", "ml_32m"])
    def test_recent_movielens(self, name, folder):
        movies = 'movieId,title,genres\n10,"Heat, The (1995)",Action|Crime\n20,X (1999),Drama\n'
        folder(shipped(name).origin["folder"], {"ratings.csv": RATINGS, "movies.csv": movies})
        data = shipped(name).load().interactions
        assert data.values.tolist() == [4, 3.5]
        assert data.times.tolist() == [964982703, 964982704]
        assert data.item_features.names == ("genres=Action", "genres=Crime", "genres=Drama")

    def test_movielens_1m(self, folder):
        directory = folder(
            "ml-1m",
            {
                "ratings.dat": "1::1193::5::978300760\n2::661::3::978302109\n",
                "users.dat": "1::F::1::10::48067\n2::M::56::16::70072\n",
            },
        )
        movies = "661::James et la pêche (1996)::Animation|Musical\n1193::Cuckoo's Nest (1975)::Drama\n"
        (directory / "movies.dat").write_text(movies, encoding="latin1")
        data = shipped("ml_1m").load().interactions
        assert data.values.tolist() == [5, 3]
        assert {"gender=F", "age=56", "occupation=10"} <= set(data.user_features.names)
        assert data.item_features.names == ("genres=Animation", "genres=Drama", "genres=Musical")

    def test_lastfm_360k(self, folder):
        one, two = "0" * 40, "a" * 40
        plays = (
            f'{one}\tmbid\tthe "blue"\t7\n{two}\t\tmuse\t3\nsep 20, 2008\tmbid\tmuse\t9\n{two}\tmbid\t\t1\n'
        )
        profile = f"{one}\tf\t22\tGermany\tFeb 1, 2007\n{two}\t\t\tCanada\tDec 4, 2007\n"
        folder(
            "lastfm-dataset-360K",
            {"usersha1-artmbid-artname-plays.tsv": plays, "usersha1-profile.tsv": profile},
        )
        dataset = shipped("lastfm_360k").load()
        assert dataset.interactions.item_ids.values.tolist() == ["muse", 'the "blue"']
        assert [s.rows for s in dataset.steps[:3]] == [4, 3, 2]
        names = dataset.interactions.user_features.names
        assert names == ("gender=f", "country=Canada", "country=Germany", "age=18-25")

    SONGS = (
        "Username,track_name,artist_name,rank,playcount,country,log_total_track_count,"
        "log_total_artist_count,activeness_high,activeness_low\n"
        "ann,Home,Blur,1,90,UK,5.0,3.0,1,0\n"
        "ann,Song 2,Blur,2,40,UK,5.0,3.0,1,0\n"
        "bob,Home,Muse,1,7,Ireland,2.0,1.0,0,1\n"
        "bob,Home,Blur,2,,Ireland,2.0,1.0,0,1\n"
    )

    def test_top_tracks_of_the_whole_table(self, folder):
        folder(
            "seed-lastfm",
            {"user_songs_filtered.csv": self.SONGS, "lightfm_test.csv": "userID,itemID,rating\n"},
        )
        dataset = shipped("lastfm_top_tracks").load()
        data = dataset.interactions
        assert data.item_ids.values.tolist() == ["Home | Blur", "Home | Muse", "Song 2 | Blur"]
        assert data.values.tolist() == [90, 40, 7]
        assert dataset.steps[1].note == "1 rows removed"
        names = data.user_features.names
        assert names[:2] == ("country=Ireland", "country=UK")
        assert names[-2:] == ("activeness=activeness_high", "activeness=activeness_low")
        assert data.user_features.matrix.toarray().tolist() == [[0, 1, 1, 1, 1, 0], [1, 0, -1, -1, 0, 1]]

    def test_top_tracks_of_ranks_alone(self, folder):
        folder("seed-lastfm", {"lightfm_test.csv": "userID,itemID,rating\n1,7,1\n2,8,50\n"})
        dataset = shipped("lastfm_top_tracks").load()
        assert dataset.interactions.values.tolist() == [50, 1]
        assert "expect small numbers" in dataset.steps[0].note
        assert "not the published file" in dataset.steps[0].note

    def test_a_layout_is_picked_by_its_file(self, folder):
        folder(
            "seed-lastfm",
            {
                "lightfm_test.csv": "userID,itemID,rating\n1,7,1\n2,8,50\n",
                "top_tracks_170users.csv": "user,rank,track_name,artist_name\nu1,2,A,B\nu2,1,A,C\n",
            },
        )
        data = shipped("lastfm_top_tracks", path="top_tracks_170users.csv").load().interactions
        assert data.item_ids.values.tolist() == ["A | B", "A | C"]
        assert data.values.tolist() == [49, 50]

    def test_layouts_have_identities_of_their_own(self, folder):
        folder("seed-lastfm", {"lightfm_test.csv": "userID,itemID,rating\n1,7,1\n2,8,50\n"})
        before = shipped("lastfm_top_tracks").identity()
        assert "layouts" not in before
        folder("seed-lastfm", {"user_songs_filtered.csv": self.SONGS})
        assert shipped("lastfm_top_tracks").identity() != before


PUBLISHED = {
    # users, items, rows, pairs, user features, item features
    "ml_100k": (943, 1682, 100_000, 100_000, 30, 19),
    "ml_latest_small": (610, 9724, 100_836, 100_836, None, 20),
    "hetrec_lastfm": (1892, 17_632, 92_834, 92_834, None, 9718),
    "online_retail": (4335, 3659, 396_370, 266_226, 37, None),
    "lastfm_top_tracks": (8619, 44_719, 74_363, 74_363, None, None),
}


@pytest.mark.real_data
@pytest.mark.skipif(
    not os.environ.get("BAKEOFF_DATA"), reason="BAKEOFF_DATA names no folder of public data sets"
)
class TestPublishedCounts:
    @pytest.mark.parametrize("name", PUBLISHED)
    def test_each_data_set_has_the_counts_that_its_publisher_states(self, name):
        dataset = shipped(name).load()
        data = dataset.interactions
        widths = [f and f.matrix.shape[1] for f in (data.user_features, data.item_features)]
        summary = data.summary()
        counts = [summary[k] for k in ("users", "items", "rows", "pairs")]
        assert (*counts, *widths) == PUBLISHED[name]
        assert "not the published file" not in dataset.steps[0].note

    def test_the_tagged_artists_of_hetrec(self):
        assert "12133 of 17632 items have any" in shipped("hetrec_lastfm").load().steps[-1].note

    def test_the_steps_of_online_retail(self):
        steps = {s.name: s for s in shipped("online_retail").load().steps}
        assert steps["read"].rows == 541_909
        assert steps["read"].users == 4372
        assert steps["read"].items == 4070
        assert steps["CustomerID is present"].note == "135080 rows removed"
        assert steps["StockCode matches [0-9]{5}[A-Za-z]*"].note == "1554 rows removed"

    def test_the_early_crawl(self):
        summary = shipped("lastfm_top_tracks", path="top_tracks_170users.csv").load().interactions.summary()
        assert (summary["users"], summary["items"], summary["rows"]) == (170, 7375, 8376)

    def test_a_published_fold_is_read_like_the_whole(self):
        whole, train = shipped("ml_100k"), shipped("ml_100k", path="u1.base")
        train_pairs = train.load().interactions
        parts = [train_pairs, train.part("u1.test", "test", train_pairs)[0]]
        assert [len(p) for p in parts] == [80_000, 20_000]
        pairs = set()
        for part in (*parts,):
            pairs |= set(zip(part.user_ids.values[part.users], part.item_ids.values[part.items], strict=True))
        data = whole.load().interactions
        assert pairs == set(
            zip(data.user_ids.values[data.users], data.item_ids.values[data.items], strict=True)
        )
