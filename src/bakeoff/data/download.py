"""Public data sets: found in the user's folder, in the cache, or downloaded once from the publisher."""

from __future__ import annotations

import hashlib
import os
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bakeoff.errors import DataError

FOLDER_VARIABLE = "BAKEOFF_DATA"
"""Environment variable that names a folder with one sub-folder a data set, searched before any download."""


@dataclass(frozen=True)
class Origin:
    """Source of the files of a public data set.

    Args:
        folder: name of its sub-folder in `BAKEOFF_DATA` and in the cache.
        home: the page to get it from, or words that say where it is.
        files: the files that may be read, each with its SHA-256 as published, or None where it is not known.
        url: the publisher's archive (.zip or .tar.gz), or None where none can be downloaded.
        checksum: of the archive, as "sha256:..." or "md5:..."; None where it is not known: then the
            archive is not checked, only those of its files whose SHA-256 is known.
        inside: the folder of the archive that holds the files.
    """

    folder: str
    home: str
    files: Mapping[str, str | None]
    url: str | None = None
    checksum: str | None = None
    inside: str = ""

    def find(self, name: str) -> Path:
        """Return the path of one of the files, downloaded where needed, or of any other file that the user
        names.

        Raises:
            DataError: it is not here and cannot be downloaded; the message says where to get and to put it.
        """
        user_path = Path(name).expanduser()
        if name not in self.files and user_path.is_file():
            return user_path
        path = self._existing(name)
        if path is not None:
            return path
        if name not in self.files:
            raise DataError(f"{name}: no such file, neither here nor in the folder {self.folder!r}")
        if self.url is None:
            raise self._missing_error(name, "it cannot be downloaded")
        self._download(name)
        path = self._existing(name)
        if path is None:
            raise self._missing_error(name, f"{self.url} does not hold it")
        return path

    def present(self, name: str) -> bool:
        """Return whether a file exists already."""
        return self._existing(name) is not None

    def changed(self, files: Mapping[str, Path]) -> list[str]:
        """Return a sentence for each file that differs from the published one."""
        published = {role: self.files.get(path.name) for role, path in files.items()}
        return [
            f"{files[role].name} is not the published file (its SHA-256 differs)"
            for role, expected in published.items()
            if expected is not None and sha256(files[role]) != expected
        ]

    def _existing(self, name: str) -> Path | None:
        return next(
            (path for root in self._roots() for path in self._candidates(root, name) if path.is_file()), None
        )

    def _roots(self) -> Iterator[Path]:
        if os.environ.get(FOLDER_VARIABLE):
            yield Path(os.environ[FOLDER_VARIABLE]).expanduser()
        yield cache()

    def _candidates(self, root: Path, name: str) -> tuple[Path, Path]:
        return root / self.folder / name, root / self.folder / self.inside / name

    def _download(self, name: str) -> None:
        import pooch

        assert self.url is not None
        folder, archive = cache() / self.folder, self.url.rsplit("/", 1)[-1]
        members = [f"{self.inside}/{file}".lstrip("/") for file in self.files]
        unpack = pooch.Unzip if self.url.endswith(".zip") else pooch.Untar
        pooch.get_logger().setLevel("ERROR")  # an error is one line of ours
        try:
            pooch.retrieve(
                self.url,
                known_hash=self.checksum,
                fname=archive,
                path=folder,
                processor=unpack(members=members, extract_dir="."),
                progressbar=sys.stderr.isatty(),
            )
        except OSError as error:
            raise self._missing_error(name, f"{self.url}: {_first_line(error)}") from None
        except ValueError:
            raise self._missing_error(name, f"the checksum of {self.url} is not {self.checksum}") from None
        except (zipfile.BadZipFile, tarfile.TarError):
            (folder / archive).unlink()
            raise self._missing_error(name, f"what {self.url} sent is no archive") from None
        for file, expected in self.files.items():
            path = next((p for p in self._candidates(cache(), file) if p.is_file()), None)
            if expected is not None and path is not None and sha256(path) != expected:
                path.unlink()
                raise DataError(
                    f"{path}: the file of {self.url} is not what was expected (its SHA-256 differs)"
                )

    def _missing_error(self, name: str, reason: str) -> DataError:
        root = os.environ.get(FOLDER_VARIABLE)
        target = Path(root or f"${FOLDER_VARIABLE}") / self.folder
        return DataError(
            f"{name} of {self.folder} is not here ({reason}); get it from {self.home} and put "
            f"{', '.join(self.files)} into {target}"
            + ("" if root else f", where the environment variable {FOLDER_VARIABLE} names a folder of yours")
        )


def cache() -> Path:
    """Return the user's cache folder."""
    import pooch

    return Path(pooch.os_cache("bakeoff")) / "data"


def _first_line(error: Exception) -> str:
    text = str(error).splitlines() or [type(error).__name__]
    return text[0] if len(text[0]) < 120 else type(error).__name__


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes.

    Raises:
        DataError: there is no such file.
    """
    if not path.is_file():
        raise DataError(f"{path}: {'a folder; expected a file' if path.is_dir() else 'no such file'}")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
