"""Train and test as somebody else has parted them, in files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import numpy as np
from scipy import sparse

from bakeoff.arrays import Codes
from bakeoff.data.columns import similar_ids
from bakeoff.data.download import sha256
from bakeoff.data.interactions import Features, Ids, Interactions
from bakeoff.data.prepare import count_step
from bakeoff.data.readers import Table
from bakeoff.errors import ConfigError, DataError
from bakeoff.parameters import OpenShare
from bakeoff.splits.base import ColdPolicy, Split, assemble
from bakeoff.splits.per_user import Random


@dataclass(frozen=True)
class Predefined(ColdPolicy):
    """Read the test part, and optionally a validation part, from files like the data set's own, which is
    train.

    A validation part belongs to train: models are fitted on both and recommend nothing of either. Tuning cuts
    it off again, and is measured on it; without one, on a random cut of train, per user by `ratio`. The
    catalogue is the items of train.

    Args:
        table: the data set, which tells how the files are read and prepared. Users and items that its filters
            by count remove from train are removed from the other parts, too.
        test: path of the test part.
        validation: path of the validation part; null has none.
        ratio: share of train in the random inner cut, where there is no validation part.
    """

    table: Table | None = None
    test: str | None = None
    validation: str | None = None
    ratio: OpenShare = 0.8

    seeded: ClassVar[bool] = False
    needs_times: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.table, Table):
            raise ConfigError(
                "split 'predefined' reads its files as the data set's own file is read: "
                "expected a data set in a file, as in dataset=csv dataset.path=train.csv"
            )
        if not self.test:
            raise ConfigError("split.test: no file; name the test part, as in split.test=test.csv")

    def identity(self) -> dict[str, Any]:
        """Return the parameters and the SHA-256 of the parts' files; how they are read is in the data
        set's identity.
        """
        parts = {name: self._sha256(path) for name, path in self._paths.items()}
        identity: dict[str, Any] = {"ratio": self.ratio, **asdict(self.cold), "files": parts}
        assert self.table is not None
        filters = {name for entry in self.table.filters for name in entry}
        if "min_value" in filters or (filters and "keep" in asdict(self.cold).values()):
            identity["filters"] = "all parts"  # before, they reached train alone
        return {**identity, "validation_in_train": True} if self.validation else identity

    def split(self, data: Interactions, seed: int) -> Split:
        assert self.table is not None
        pairs = data.merged()
        parts = {name: self.table.part(path, name, pairs) for name, path in self._paths.items()}
        train, test, *validation = align_ids([pairs, *(part for part, _ in parts.values())])
        steps = [step for _, steps in parts.values() for step in steps]
        for side in ("user", "item"):
            note = similar_ids(getattr(test, f"{side}_ids"))
            if note and note != similar_ids(getattr(pairs, f"{side}_ids")):
                steps.append(
                    count_step(f"match {side} ids", test, f"of the {side} ids of all parts {note}", "test")
                )
        split = assemble(
            train,
            test,
            validation=validation[0] if validation else None,
            cold=self.cold,
            steps=steps,
        )
        if split.validation is not None and not len(split.validation):
            raise DataError(
                f"{self.validation}: none of {len(validation[0])} rows is left to validate on: all are in "
                "the test part too; expected rows that test does not have"
            )
        return split

    def inner(self, split: Split, seed: int) -> Split:
        if split.validation is not None:
            return assemble(split.events, split.validation, cold=self.cold, level=split.level + 1)
        return Random(ratio=self.ratio, **asdict(self.cold)).inner(split, seed)

    @property
    def _paths(self) -> dict[str, str]:
        paths = {"test": self.test, "validation": self.validation}
        return {name: path for name, path in paths.items() if path}

    def _sha256(self, path: str) -> str:
        assert self.table is not None
        return sha256(replace(self.table, path=path).files()["rows"])


def align_ids(parts: Sequence[Interactions]) -> list[Interactions]:
    """Recode the parts with all their ids in one list, so that one code means one id in all of them.

    Side information is the first part's; ids that only the others know have none.
    """
    first = parts[0]
    user_ids = Ids.of([v for part in parts for v in part.user_ids.values.tolist()])
    item_ids = Ids.of([v for part in parts for v in part.item_ids.values.tolist()])
    user_features = _realign_features(
        first.user_features, user_ids.codes(first.user_ids.values), len(user_ids)
    )
    item_features = _realign_features(
        first.item_features, item_ids.codes(first.item_ids.values), len(item_ids)
    )
    return [
        Interactions.of(
            user_ids.codes(part.user_ids.values)[part.users],
            item_ids.codes(part.item_ids.values)[part.items],
            part.values,
            part.times,
            user_ids,
            item_ids,
            merge=first.merge,
            user_features=user_features,
            item_features=item_features,
        )
        for part in parts
    ]


def _realign_features(features: Features | None, codes: Codes, size: int) -> Features | None:
    """Return features with their rows moved to codes of a longer list; the other rows are empty."""
    if features is None:
        return None
    rows = np.arange(len(codes))
    moved = sparse.csr_matrix((np.ones(len(codes), np.float32), (codes, rows)), shape=(size, len(codes)))
    return Features((moved @ features.matrix).tocsr(), features.names)
