"""Credentials reach the library that connects, and nothing that bakeoff prints or writes."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest

from bakeoff.errors import ConfigError
from bakeoff.secret import SecretUrl, read_secret, without_credentials
from conftest import Bakeoff


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://host:5000", "http://host:5000"),
        ("http://hunter2@host:5000/base", "http://host:5000/base"),
        ("https://me:hunter2@host/a/b?token=hunter2#x", "https://host/a/b"),
        (
            "postgresql+psycopg://me:hun/ter@2@db:5432/studies?password=hunter2",
            "postgresql+psycopg://db:5432/studies",
        ),
        ("sqlite:////srv/studies.db?key=hunter2", "sqlite:////srv/studies.db"),
        ("http://host:5000/a@b", "http://host:5000/a@b"),
        ("'mlflow=http://me:hunter2@host?x=1' k=5 a@b", "'mlflow=http://host' k=5 a@b"),
        ("two: http://a:b@c/d?e f http://g:h@i", "two: http://c/d f http://i"),
        ("no address, me:hunter2@host", "no address, me:hunter2@host"),
    ],
)
def test_of_a_url_scheme_host_and_database_are_left(url: str, shown: str) -> None:
    assert without_credentials(url) == shown


def test_no_way_of_printing_or_writing_shows_a_secret() -> None:
    secret = SecretUrl("http://me:hunter2@host/x?token=hunter2")
    assert secret.reveal() == "http://me:hunter2@host/x?token=hunter2"
    for text in (str(secret), repr(secret), f"{secret}", f"{secret!r}", repr([secret])):
        assert text.strip("[]") == "http://host/x"
    for write in (json.dumps, pickle.dumps):
        with pytest.raises(TypeError):
            write(secret)


def test_a_secret_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nope"):
        read_secret(str(tmp_path / "nope"))


def test_credentials_of_a_run_are_in_no_file_and_no_output(bakeoff: Bakeoff, tmp_path: Path) -> None:
    (tmp_path / "url").write_text("http://me:hunter2@127.0.0.1:9/base?token=hunter2\n")
    words = (
        *(
            "dataset=blocks",
            "model=als",
            "model.build.iterations=1",
            "k=[2]",
            "depth=4",
            "name=tracked",
            "baselines=[]",
        ),
        *("tune=optuna", "tune.trials=1", "tune.metric=ndcg@2", "--log", "log.txt"),
    )
    storage = "tune.storage='sqlite:///studies.db?cached_statements=1234321'"
    answers = [
        bakeoff("run", *words, storage, "mlflow='http://me:hunter2@127.0.0.1:9/base?token=hunter2'"),
        bakeoff("run", *words, storage, "mlflow=${secret:url}"),
        bakeoff("run", *words, storage, "mlflow=${secret:url}", "--cfg", "job", "--resolve"),
        bakeoff("report", "tracked", "mlflow=http://me:hunter2@127.0.0.1:9/base?token=hunter2"),
        bakeoff("plan", *words, "tune.storage='nope://me:hunter2@127.0.0.1:9/base?token=hunter2'"),
    ]
    assert [answer.returncode for answer in answers] == [0, 0, 0, 0, 2], answers
    assert "logging to MLflow at http://127.0.0.1:9/base failed" in answers[0].stderr
    texts = [answer.stdout + answer.stderr for answer in answers]
    texts += [p.read_text(errors="replace") for p in tmp_path.rglob("*") if p.is_file() and p.name != "url"]
    assert len(texts) > 20 and any("sqlite:///studies.db" in text for text in texts[5:])
    assert [text for text in texts if "hunter2" in text or "1234321" in text] == []
