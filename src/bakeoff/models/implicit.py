"""Matrix factorisations of the library `implicit`, on the CPU."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from bakeoff.arrays import CSR, Bools, Codes, Floats
from bakeoff.data.interactions import Interactions
from bakeoff.errors import ModelError
from bakeoff.models.base import OnEpoch, State
from bakeoff.models.fitting import Weights, limit_threads, weighted
from bakeoff.models.topk import FactorModel
from bakeoff.parameters import Count, NonNegative, Positive, check_parameters

Dtype = Literal["float32", "float64"]
Library = Any  # a model of `implicit`, which has no types


class _Factorisation(FactorModel):
    """Base of the three: each fit uses a new object of the library, and its factors become float32.

    The library adds what a fit is given to what it has learnt before; a new object makes each fit start anew.
    It is given the users with pairs alone: its random start depends on the number of users. Factors of the
    others are 0.
    """

    stochastic: ClassVar[bool] = True
    folds_in: ClassVar[bool] = False
    epochs_in: ClassVar[str] = "iterations"
    advice: ClassVar[str]

    def __post_init__(self) -> None:
        check_parameters(self, "model.build")

    @abstractmethod
    def _unfitted(self, seed: int) -> Library:
        """Return the library's model with these hyperparameters."""

    def _pairs(self, train: Interactions) -> CSR:
        """Return the matrix that the library is fitted on, CSR float32 [U, I]."""
        return weighted(train.matrix(), "none", model=type(self).__name__)

    def fit(self, train: Interactions, *, seed: int, on_epoch: OnEpoch | None = None) -> None:
        """Learn the factors.

        Raises:
            ModelError: they diverged.
            Unsupported: the values of train cannot be weights.
        """
        from implicit.recommender_base import ModelFitError

        pairs = self._pairs(train)
        self._fitted: Bools = np.diff(pairs.indptr) > 0
        if not self._fitted.all():
            pairs = pairs[self._fitted]
        # More BLAS threads slow the library down, and it warns of them.
        with limit_threads(1):
            library = self._unfitted(seed)

            def after(iteration: int, _seconds: float, *more: float) -> None:
                self._learnt(library)
                if on_epoch is not None:
                    on_epoch(iteration + 1, self._loss(more))

            try:
                library.fit(pairs, show_progress=False, callback=after)
            except ModelFitError as error:
                raise ModelError(f"{type(self).__name__}: the factors diverged; {self.advice}") from error
        self._learnt(library)

    def _learnt(self, library: Library) -> None:
        factors = np.asarray(library.user_factors, dtype=np.float32)
        if not self._fitted.all():
            of_all = np.zeros((len(self._fitted), factors.shape[1]), dtype=np.float32)
            of_all[self._fitted] = factors
            factors = of_all
        self.user_factors = factors
        self.item_factors = np.asarray(library.item_factors, dtype=np.float32)

    def _loss(self, more: tuple[float, ...]) -> float | None:
        """Return the training loss among the extra arguments of the library's callback."""
        return None


@dataclass
class ALS(_Factorisation):
    """Weighted matrix factorisation by alternating least squares.

    Hu, Koren, Volinsky (2008), Collaborative filtering for implicit feedback datasets; solved by conjugate
    gradients (Takács, Pilászy, Tikk 2011) where `use_cg`. Users unknown to train are served from factors
    solved for their history. A pair's confidence is alpha times its weight, that of an unseen pair is 1.

    Args:
        factors: number of latent dimensions.
        regularization: L2 penalty of all factors, not scaled by the number of pairs of a user or an item.
        alpha: confidence of a pair of weight 1; a pair's confidence is alpha times its weight, that of an
            unseen pair is 1.
        iterations: number of iterations; each solves all users, then all items.
        weights: weight of a pair: none (1), raw (its value; below 0 is a dislike) or log1p (of its value).
        use_cg: three steps of conjugate gradients in place of the exact solution.
        use_native: use compiled code; without it, the library's slow reference in Python runs.
        calculate_training_loss: compute the loss after each iteration; it is recorded, and changes no factor.
        dtype: precision of the fit, float32 or float64; the fitted factors are float32.
        num_threads: threads of the fit; the result does not depend on them.
    """

    folds_in: ClassVar[bool] = True
    fitted: ClassVar[tuple[str, ...]] = (*FactorModel.fitted, "_fitted")
    advice: ClassVar[str] = "raise regularization, or lower alpha"

    factors: Count = 64
    regularization: NonNegative = 10.0
    alpha: Positive = 5.0
    iterations: Count = 15
    weights: Weights = "none"
    use_cg: bool = True
    use_native: bool = True
    calculate_training_loss: bool = True
    dtype: Dtype = "float32"
    num_threads: Count = 1

    def _unfitted(self, seed: int | None) -> Library:
        from implicit.cpu.als import AlternatingLeastSquares

        return AlternatingLeastSquares(
            factors=self.factors,
            regularization=self.regularization,
            alpha=self.alpha,
            dtype=np.dtype(self.dtype),
            use_native=self.use_native,
            use_cg=self.use_cg,
            iterations=self.iterations,
            calculate_training_loss=self.calculate_training_loss,
            num_threads=self.num_threads,
            random_state=seed,
        )

    def _pairs(self, train: Interactions) -> CSR:
        return self._weighted(train.matrix())

    def _weighted(self, matrix: CSR) -> CSR:
        return weighted(matrix, self.weights, model="ALS", negative=True)

    def _learnt(self, library: Library) -> None:
        super()._learnt(library)
        self._solver: Library | None = None

    def _loss(self, more: tuple[float, ...]) -> float | None:
        return more[0] if more else None

    def factors_of(self, users: Codes, history: CSR) -> Floats:
        """Return the fitted factors, float32 [b, f]; those of users not in train are solved for their
        history.
        """
        inside = np.minimum(users, len(self._fitted) - 1)  # the code of a new user lies beyond
        factors = super().factors_of(inside, history)
        new = np.flatnonzero((users != inside) | ~self._fitted[inside])
        if len(new):
            with limit_threads(1):
                solved = self._for_new_users().recalculate_user(new, self._weighted(history[new]))
            factors[new] = solved
        return factors

    def restore(self, state: State) -> None:
        """Load what `state` returned."""
        super().restore(state)
        self._solver = None

    def _for_new_users(self) -> Library:
        """Return a library object with these item factors alone: the one being fitted caches products of
        older ones.
        """
        if self._solver is None:
            self._solver = self._unfitted(None)
            self._solver.dtype = np.dtype(np.float32)
            self._solver.item_factors = self.item_factors
        return self._solver


@dataclass
class BPR(_Factorisation):
    """Matrix factorisation for the order of sampled pairs, by stochastic gradient descent.

    Rendle, Freudenthaler, Gantner, Schmidt-Thieme (2009), BPR: Bayesian personalized ranking from implicit
    feedback. The library takes every pair alike, so it has no parameter weights. An item's bias is one
    more dimension of the factors.

    Args:
        factors: number of latent dimensions.
        learning_rate: step of the gradient descent.
        regularization: L2 penalty of all factors.
        iterations: number of iterations; each draws as many samples as there are pairs.
        verify_negative_samples: draw no negative that the user has in train.
        dtype: precision of the fit, float32 or float64; the fitted factors are float32.
        num_threads: threads of the fit; with more than one, threads race and no two fits are the same.
    """

    advice: ClassVar[str] = "lower learning_rate, or raise regularization"
    biases: ClassVar[int] = 1

    factors: Count = 64
    learning_rate: Positive = 0.01
    regularization: NonNegative = 0.01
    iterations: Count = 100
    verify_negative_samples: bool = True
    dtype: Dtype = "float32"
    num_threads: Count = 1

    @property
    def not_repeatable(self) -> str | None:
        """The reason why the same seed may give other lists."""
        return None if self.num_threads == 1 else "num_threads > 1: the threads of BPR race for the factors"

    def _unfitted(self, seed: int) -> Library:
        from implicit.cpu.bpr import BayesianPersonalizedRanking

        return BayesianPersonalizedRanking(
            factors=self.factors,
            learning_rate=self.learning_rate,
            regularization=self.regularization,
            dtype=np.dtype(self.dtype),
            iterations=self.iterations,
            verify_negative_samples=self.verify_negative_samples,
            num_threads=self.num_threads,
            random_state=seed,
        )


@dataclass
class LMF(_Factorisation):
    """Logistic matrix factorisation, with biases as two more dimensions of the factors.

    Johnson (2014), Logistic matrix factorization for implicit feedback data. The library fits in float32.

    Args:
        factors: number of latent dimensions.
        learning_rate: step of the gradient ascent, scaled by AdaGrad.
        regularization: L2 penalty of all factors.
        iterations: number of iterations; each moves all users, then all items.
        neg_prop: negatives sampled for each pair.
        weights: weight of a pair: none (1), raw (its value) or log1p (of its value).
        num_threads: threads of the fit; for each number of threads the result is another, and always the
            same.
    """

    advice: ClassVar[str] = "lower learning_rate, or raise regularization"
    biases: ClassVar[int] = 2

    factors: Count = 30
    learning_rate: Positive = 1.0
    regularization: NonNegative = 3.0
    iterations: Count = 30
    neg_prop: Count = 30
    weights: Weights = "none"
    num_threads: Count = 1

    def _pairs(self, train: Interactions) -> CSR:
        return weighted(train.matrix(), self.weights, model="LMF")

    def _unfitted(self, seed: int) -> Library:
        from implicit.cpu.lmf import LogisticMatrixFactorization

        return LogisticMatrixFactorization(
            factors=self.factors,
            learning_rate=self.learning_rate,
            regularization=self.regularization,
            iterations=self.iterations,
            neg_prop=self.neg_prop,
            num_threads=self.num_threads,
            random_state=seed,
        )
