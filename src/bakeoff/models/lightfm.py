"""The four losses of the library `lightfm`, with and without side features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from scipy import sparse

from bakeoff.arrays import CSR, Array, Bools, Floats
from bakeoff.data.interactions import Features, Interactions
from bakeoff.errors import ConfigError, ModelError, Unsupported
from bakeoff.models.base import OnEpoch
from bakeoff.models.fitting import Weights, weighted
from bakeoff.models.topk import FactorModel
from bakeoff.parameters import Count, NonNegative, OpenShare, Positive, check_parameters

Loss = Literal["warp", "warp-kos", "bpr", "logistic"]
Schedule = Literal["adagrad", "adadelta"]
Library = Any  # a model of `lightfm`, which has no types


@dataclass
class LightFM(FactorModel):
    """Factors of users and items as sums of the factors of their features, fitted by gradient descent.

    Kula (2015), Metadata embeddings for user and item cold-start recommendations. A list is ordered by the
    product of the two representations plus the item's bias; the user's bias changes no order. Where user and
    item features are both asked for, one of the two is enough.

    Args:
        loss: warp and bpr rank a pair above a sampled negative, warp-kos the k-th best of n pairs; logistic
            tells pairs from negatives, of which `negatives` are drawn anew in each epoch.
        no_components: number of latent dimensions.
        learning_schedule: how steps shrink; adadelta does not use learning_rate.
        learning_rate: first step of adagrad.
        rho: decay of adadelta's running averages.
        epsilon: constant that adadelta adds to them.
        item_alpha: L2 penalty of the factors of item features.
        user_alpha: L2 penalty of the factors of user features.
        max_sampled: negatives that warp draws at most in search of one that ranks too high.
        k: rank of the pair that warp-kos takes, among n sampled pairs of a user.
        n: pairs of a user that warp-kos samples.
        epochs: number of passes over the pairs.
        weights: weight of a pair's step: none (1), raw (its value) or log1p (of its value), scaled to a mean
            of 1 so that learning_rate keeps its meaning. warp-kos takes none.
        negatives: unseen items drawn uniformly for each pair; used by the logistic loss alone.
        user_features: use the user features of the data set.
        item_features: use the item features of the data set.
        identity: with side features, each user or item also has a feature of its own; without, those that
            have no side feature share one.
        normalize: scale each row of features, identity included, to a sum of 1.
        num_threads: threads of the fit; with more than one, threads race and no two fits are the same.
    """

    stochastic: ClassVar[bool] = True
    folds_in: ClassVar[bool] = False
    biases: ClassVar[int] = 1
    epochs_in: ClassVar[str] = "epochs"

    loss: Loss = "warp"
    no_components: Count = 64
    learning_schedule: Schedule = "adagrad"
    learning_rate: Positive = 0.05
    rho: OpenShare = 0.95
    epsilon: NonNegative = 1e-6
    item_alpha: NonNegative = 0.0
    user_alpha: NonNegative = 0.0
    max_sampled: Count = 10
    k: Count = 5
    n: Count = 10
    epochs: Count = 30
    weights: Weights = "none"
    negatives: Count = 1
    user_features: bool = False
    item_features: bool = False
    identity: bool = True
    normalize: bool = True
    num_threads: Count = 1

    def __post_init__(self) -> None:
        check_parameters(self, "model.build")
        if self.loss == "warp-kos" and self.weights != "none":
            raise ConfigError(
                f"model.build.weights={self.weights!r}: the loss warp-kos takes no weights; "
                "expected none, or another loss"
            )

    @property
    def needs(self) -> tuple[str, ...]:
        """The side features that are used; of both, one is enough."""
        if self.user_features and self.item_features:
            return ("user_features|item_features",)
        return tuple(name for name in ("user_features", "item_features") if getattr(self, name))

    @property
    def serves_new(self) -> tuple[str, ...]:
        """Users and items, by their side features."""
        return ("users",) * self.user_features + ("items",) * self.item_features

    @property
    def not_repeatable(self) -> str | None:
        """The reason why the same seed may give other lists."""
        return (
            None if self.num_threads == 1 else "num_threads > 1: the threads of LightFM race for the factors"
        )

    def fit(self, train: Interactions, *, seed: int, on_epoch: OnEpoch | None = None) -> None:
        """Fit the representations, epoch by epoch.

        Raises:
            ModelError: they diverged.
            Unsupported: the library or side features are missing, or values of train cannot be weights.
        """
        pairs = weighted(train.matrix(), self.weights, model=f"LightFM ({self.loss})")
        # The library's random start depends on the number of users: it is given those with pairs alone.
        fitted = np.diff(pairs.indptr) > 0
        pairs = pairs if fitted.all() else pairs[fitted]
        of_users, of_items = train.user_features, train.item_features
        both = self.user_features and self.item_features
        if both and of_users is None and of_items is None:
            raise Unsupported("needs user features or item features; the data set has none")
        use_users = self.user_features and not (both and of_users is None)
        use_items = self.item_features and not (both and of_items is None)
        everybody = self._side(of_users, "user", fitted) if use_users else None
        # An item without pairs has its side features alone: its own factor would stay at its random start.
        has_pairs = np.bincount(pairs.indices, minlength=train.n_items) > 0
        items = self._side(of_items, "item", has_pairs) if use_items else None
        sides = {"user_features": None if everybody is None else everybody[fitted], "item_features": items}
        library = self._unfitted(seed, train.n_items)
        rng = np.random.default_rng(seed)
        for epoch in range(1, self.epochs + 1):
            positives, weights = self._samples(pairs, rng)
            try:
                with np.errstate(over="ignore", invalid="ignore"):  # the library checks for itself
                    library.fit_partial(
                        positives, sample_weight=weights, num_threads=self.num_threads, **sides
                    )
            except ValueError as error:
                raise ModelError(f"LightFM ({self.loss}), epoch {epoch}: {error}") from error
            if on_epoch is not None or epoch == self.epochs:
                self._learnt(library, fitted, everybody, items)
            if on_epoch is not None:
                on_epoch(epoch, None)

    def _unfitted(self, seed: int, n_items: int) -> Library:
        try:
            import lightfm
        except ImportError as error:
            raise Unsupported(
                f"LightFM needs the module lightfm ({error}): pip install rectools-lightfm, "
                "which wants a C compiler and Python's headers"
            ) from error
        max_sampled = self.max_sampled
        if self.loss == "warp-kos":  # with more samples the library takes the logarithm of 0
            max_sampled = max(1, min(max_sampled, n_items - 1))
        return lightfm.LightFM(
            no_components=self.no_components,
            k=self.k,
            n=self.n,
            learning_schedule=self.learning_schedule,
            loss=self.loss,
            learning_rate=self.learning_rate,
            rho=self.rho,
            epsilon=self.epsilon,
            item_alpha=self.item_alpha,
            user_alpha=self.user_alpha,
            max_sampled=max_sampled,
            random_state=seed,
        )

    def _side(self, features: Features | None, of: str, fitted: Bools | None = None) -> CSR:
        """Return CSR float32 [n, features]: identity columns (or one for all without features), then the
        data set's. fitted: bool [n], which rows have an identity column; None: all.
        """
        if features is None:
            raise Unsupported(f"needs {of} features; the data set has none")
        matrix = features.matrix
        sums = np.asarray(abs(matrix).sum(axis=1)).ravel()
        if self.identity:
            identity = sparse.identity(len(sums), dtype=np.float32, format="csr")
            identity = identity if fitted is None else identity[:, fitted]
        else:  # a row without features becomes NaN in the library
            identity = sparse.csr_matrix((sums == 0).astype(np.float32)[:, None])
        matrix = sparse.hstack([identity, matrix], format="csr", dtype=np.float32)
        if self.normalize:
            sums = np.asarray(abs(matrix).sum(axis=1)).ravel()
            sums[sums == 0] = 1.0
            matrix = sparse.diags((1 / sums).astype(np.float32)) @ matrix
        return sparse.csr_matrix(matrix, dtype=np.float32)

    def _samples(self, pairs: CSR, rng: np.random.Generator) -> tuple[CSR, CSR | None]:
        """Return the samples of an epoch as COO (1 for a pair, -1 for a negative), and their weights as
        COO.
        """
        coo = pairs.tocoo()
        users, items, weights = coo.row, coo.col, coo.data
        if self.weights != "none" and len(weights):
            weights = weights / max(float(weights.mean()), np.finfo(np.float32).tiny)
        signs = np.ones_like(weights)
        if self.loss == "logistic":
            negatives = draw_unseen(pairs, self.negatives, rng)
            users, items = np.concatenate([users, negatives[0]]), np.concatenate([items, negatives[1]])
            signs = np.concatenate([signs, np.full(len(negatives[0]), -1, dtype=np.float32)])
            weights = np.concatenate([weights, np.ones(len(negatives[0]), dtype=np.float32)])
        positives = sparse.coo_matrix((signs, (users, items)), shape=pairs.shape)
        if self.weights == "none":
            return positives, None
        return positives, sparse.coo_matrix((weights.astype(np.float32), (users, items)), shape=pairs.shape)

    def _learnt(
        self, library: Library, fitted: Bools, user_features: CSR | None, item_features: CSR | None
    ) -> None:
        """Take over the representations; users without pairs have those of their side features, or 0."""
        _, of_users = library.get_user_representations(user_features)
        if len(of_users) < len(fitted):
            of_all = np.zeros((len(fitted), of_users.shape[1]), dtype=np.float32)
            of_all[fitted] = of_users
            of_users = of_all
        biases, of_items = library.get_item_representations(item_features)
        self.user_factors: Floats = _append_column(of_users, np.ones(len(of_users), dtype=np.float32))
        self.item_factors: Floats = _append_column(of_items, biases)


def draw_unseen(pairs: CSR, times: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Draw unseen items for each pair, uniformly and with repeats; return users and items, int32 [times x
    pairs].

    Nothing is drawn for users who have every item. pairs: CSR with sorted indices.
    """
    n_users, n_items = pairs.shape
    counts = np.diff(pairs.indptr)
    users = np.repeat(np.arange(n_users), np.where(counts < n_items, counts * times, 0))
    # The r-th unseen item of a user is r + j where j of the user's items have fewer than or just r unseen
    # ones before them; one search over all users finds j.
    owners = np.repeat(np.arange(n_users), counts)
    before = pairs.indices - (np.arange(pairs.nnz) - pairs.indptr[owners])
    draws = rng.integers(0, n_items - counts[users])
    passed = np.searchsorted(
        owners * np.int64(n_items + 1) + before, users * np.int64(n_items + 1) + draws, side="right"
    )
    items = draws + passed - pairs.indptr[users]
    return users.astype(np.int32), items.astype(np.int32)


def _append_column(factors: Floats, column: Floats) -> Floats:
    return np.ascontiguousarray(np.column_stack([factors, column]), dtype=np.float32)
