"""What items are called, for people: nothing that is computed looks at it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bakeoff.data.columns import Coder, joined
from bakeoff.data.files import batches, check_columns
from bakeoff.data.text import Layout


@dataclass(frozen=True)
class Names:
    """A table with the name of each item.

    Args:
        label: the column of the name.
        key: the column, or columns, of the id.
        path: the file; None takes the file of the interactions, with its layout.
        separator, quote, encoding, columns: see `Layout`.
    """

    label: str
    key: str | Sequence[str]
    path: str | None = None
    separator: str | None = None
    quote: str | None = '"'
    encoding: str = "utf8"
    columns: Sequence[str] | None = None

    def read(self, path: Path, shared: Layout) -> dict[str, str]:
        """The first name of each id, both as texts; rows without one of the two are left out.

        Raises:
            DataError: there is no such file or column.
        """
        own = None if self.columns is None else tuple(self.columns)
        layout = shared if self.path is None else Layout(self.separator, self.quote, self.encoding, own)
        keys = [self.key] if isinstance(self.key, str) else list(self.key)
        wanted = [*keys, self.label]
        check_columns(path, layout, dict.fromkeys(wanted, "dataset.item_names"))
        coders = {name: Coder() for name in wanted}
        for batch in batches(path, layout, dict.fromkeys(coders, "id")):
            for name, column in zip(batch.schema.names, batch.columns, strict=True):
                coders[name].add(column)
        columns = {name: coder.finish() for name, coder in coders.items()}
        ids, distinct = joined([columns[k] for k in keys])
        labels, texts = columns[self.label]
        both = (ids >= 0) & (labels >= 0)
        known, called = [str(v) for v in distinct.to_pylist()], [str(v) for v in texts.to_pylist()]
        pairs = dict(zip(ids[both][::-1].tolist(), labels[both][::-1].tolist(), strict=True))
        return {known[i]: called[label] for i, label in pairs.items()}
