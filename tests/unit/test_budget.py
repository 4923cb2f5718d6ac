"""Estimates against a board, and what is said when a model does not fit."""

from dataclasses import replace
from typing import Any

import pytest
import small_models

from edgekit import board as boards
from edgekit import contract
from edgekit.codegen import budget
from edgekit.codegen.generator import GeneratedModel, generate
from edgekit.errors import DoesNotFitError
from edgekit.graph import tflite
from edgekit.graph.ir import Graph


def made() -> tuple[GeneratedModel, Graph]:
    graph = tflite.parse(small_models.classifier())
    return generate(graph, contract.of(graph)), graph


def board(**memory: Any) -> boards.Board:
    host = boards.load("host")
    small = replace(host.build, frame_buffers=2, rx_window_bytes=1024, stack_reserve_bytes=2048)
    return replace(host, build=small, memory=replace(host.memory, **memory))


def test_fits() -> None:
    generated, graph = made()
    found = budget.check(generated, graph, board())
    assert found.fits
    assert found == budget.estimate(generated, board())
    parts = {part.name: part.bytes for part in found.ram.parts}
    assert parts["arena"] == generated.plan.arena_bytes
    assert parts["frame buffers"] == 2 * 192
    # Two answers of 3 scores, and two frames of two pieces.
    assert parts["application"] == budget.APPLICATION_RAM_BYTES + 2 * (3 + 2)
    assert (parts["receive window"], parts["stack"]) == (1024, 2048)
    assert found.ram.needed == sum(parts.values())
    flash = {part.name: part.bytes for part in found.flash.parts}
    assert flash["weights"] == generated.weight_bytes


def test_exactly_enough() -> None:
    generated, graph = made()
    found = budget.estimate(generated, board())
    budget.check(generated, graph, board(ram_bytes=found.ram.needed, flash_bytes=found.flash.needed))
    with pytest.raises(DoesNotFitError):
        budget.check(generated, graph, board(ram_bytes=found.ram.needed - 1))
    with pytest.raises(DoesNotFitError):
        budget.check(generated, graph, board(flash_bytes=found.flash.needed - 1))


def test_too_little_ram() -> None:
    generated, graph = made()
    with pytest.raises(DoesNotFitError) as caught:
        budget.check(generated, graph, board(ram_bytes=4096))
    message = caught.value.message
    needed = budget.estimate(generated, board()).ram.needed
    assert f"needs {needed:,} bytes of RAM" in message
    assert "the board 'host' has 4,096" in message
    peak = generated.plan.alive(generated.plan.peak_step)
    for storage in peak[:3]:
        assert f"'{storage.name}' {storage.size:,}" in message
    assert message.count("'") == 2 * (1 + min(3, len(peak)))
    assert caught.value.exit_code == 6


def test_too_little_flash() -> None:
    generated, graph = made()
    with pytest.raises(DoesNotFitError) as caught:
        budget.check(generated, graph, board(flash_bytes=1000))
    assert "bytes of flash" in caught.value.message
    assert "'w0' 108" in caught.value.message


def test_as_json() -> None:
    generated, _ = made()
    found = budget.estimate(generated, board(ram_bytes=1)).to_dict()
    assert (found["board"], found["fits"]) == ("host", False)
    assert found["ram"]["needed"] == sum(found["ram"]["parts"].values())
    assert found["flash"]["fits"]
