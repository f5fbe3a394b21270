"""Colours that people can tell apart, on white and on black, whatever their eyes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from bakeoff.report.charts.frame import COLOURS, GREYS, NEUTRAL, styles

# Machado, Oliveira and Fernandes 2009, severity 1, for linear RGB
VISIONS = {
    "normal": np.eye(3),
    "protan": [
        [0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [
        [0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [
        [1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}  # fmt: skip


def linear(colour: str) -> np.ndarray:
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def oklab(light: np.ndarray) -> np.ndarray:
    """Ottosson 2020."""
    lms = np.array([[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
                    [0.0883024619, 0.2817188376, 0.6299787005]]) @ light  # fmt: skip
    return np.array([[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
                     [0.0259040371, 0.7827717662, -0.8086757660]]) @ np.cbrt(lms)  # fmt: skip


@pytest.mark.parametrize("vision", VISIONS)
def test_any_two_colours_can_be_told_apart(vision: str) -> None:
    matrix = np.array(VISIONS[vision])
    seen = {c: oklab(np.clip(matrix @ linear(c), 0, 1)) for c in COLOURS}
    for a, b in itertools.combinations(COLOURS, 2):
        assert np.linalg.norm(seen[a] - seen[b]) >= 0.065, (a, b)


@pytest.mark.parametrize("colour", [*COLOURS, *GREYS, NEUTRAL])
def test_every_colour_stands_out_on_white_and_on_black(colour: str) -> None:
    def luminance(c: str) -> float:
        return float(linear(c) @ [0.2126, 0.7152, 0.0722])

    assert 1.05 / (luminance(colour) + 0.05) >= 2.3
    assert (luminance(colour) + 0.05) / (luminance("#1b1b1b") + 0.05) >= 2.3


def test_no_two_models_have_the_same_style() -> None:
    result = styles([f"m{i}" for i in range(56)])
    assert len({(style.colour, style.shape) for style in result.values()}) == 56


def test_baselines_are_grey_and_leave_the_others_their_colours() -> None:
    result = styles(["als", "ease", "popularity"], {"popularity"})
    assert result["popularity"].colour in GREYS
    assert {k: v for k, v in result.items() if k != "popularity"} == styles(["als", "ease"])
