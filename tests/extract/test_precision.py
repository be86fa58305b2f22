import json

import pytest
import torch

from drsl.extract.precision import Precision, choose_precision
from drsl.features import calibration


@pytest.fixture
def clock(monkeypatch):
    """Time that passes only in steps: `clock.step` takes as many seconds as `clock.seconds` says."""

    class Clock:
        now = 0.0
        seconds = {"float32": 2.0, "bfloat16": 1.0}  # noqa: RUF012 (one object)
        contiguous = 1.1
        steps: list[str] = []  # noqa: RUF012

        def step(self, each):
            self.steps.append(each.name)
            self.now += self.seconds[each.name] * (self.contiguous if each.memory_format == "contiguous" else 1)

    found = Clock()
    found.seconds, found.steps = dict(Clock.seconds), []
    monkeypatch.setattr(calibration.time, "perf_counter", lambda: found.now)
    return found


@pytest.mark.parametrize("setting", ["float32", "bfloat16"])
def test_a_set_precision_is_taken_unmeasured(tmp_path, clock, setting):
    chosen, why = choose_precision(setting, "train", clock.step, tmp_path / "p.json")
    assert (chosen, why) == (Precision(setting), f"{setting}, as set")
    assert clock.steps == []
    assert not (tmp_path / "p.json").exists()


@pytest.mark.parametrize(
    ("slow", "fast", "expected"),
    [(2.0, 1.0, "bfloat16"), (1.21, 1.0, "bfloat16"), (1.19, 1.0, "float32"), (1, 3, "float32")],
)
def test_auto_takes_bfloat16_only_when_it_is_clearly_faster(tmp_path, clock, slow, fast, expected):
    clock.seconds = {"float32": slow, "bfloat16": fast}
    chosen, why = choose_precision("auto", "train", clock.step, tmp_path / "p.json")
    assert chosen == Precision(expected)
    assert why == (
        f"{expected} channels_last: a step takes {1.1 * slow:.3g} s in float32 contiguous, "
        f"{slow:.3g} s in float32 channels_last, {fast:.3g} s in bfloat16 channels_last"
    )


def test_auto_takes_the_memory_format_that_is_faster(tmp_path, clock):
    clock.seconds, clock.contiguous = {"float32": 2.0, "bfloat16": 3.0}, 0.9
    assert choose_precision("auto", "train", clock.step, tmp_path / "p.json")[0] == Precision("float32", "contiguous")


def test_a_measurement_is_remembered(tmp_path, clock):
    first = choose_precision("auto", "train", clock.step, tmp_path / "work" / "p.json")
    clock.steps.clear()
    clock.seconds = {"float32": 1.0, "bfloat16": 9.0}
    assert choose_precision("auto", "train", clock.step, tmp_path / "work" / "p.json") == first
    assert clock.steps == []


def test_other_work_is_measured_for_itself_and_both_are_kept(tmp_path, clock):
    choose_precision("auto", "train 32", clock.step, tmp_path / "p.json")
    clock.seconds = {"float32": 1.0, "bfloat16": 9.0}
    assert choose_precision("auto", "train 224", clock.step, tmp_path / "p.json")[0].name == "float32"
    assert choose_precision("auto", "train 32", clock.step, tmp_path / "p.json")[0].name == "bfloat16"
    assert len(json.loads((tmp_path / "p.json").read_text())) == 2


def test_another_number_of_threads_is_another_machine(tmp_path, clock, monkeypatch):
    choose_precision("auto", "train", clock.step, tmp_path / "p.json")
    monkeypatch.setattr(torch, "get_num_threads", lambda: 77)
    clock.steps.clear()
    choose_precision("auto", "train", clock.step, tmp_path / "p.json")
    assert clock.steps


@pytest.mark.parametrize("content", ["", "{", "[1, 2]", "7", "null"])
def test_a_damaged_memory_is_measured_anew(tmp_path, clock, content):
    (tmp_path / "p.json").write_text(content)
    assert choose_precision("auto", "train", clock.step, tmp_path / "p.json")[0].name == "bfloat16"
    assert len(json.loads((tmp_path / "p.json").read_text())) == 1


def test_one_slow_step_does_not_decide(tmp_path, clock):
    def step(each):
        clock.step(each)
        if len(clock.steps) == 6:  # the first bfloat16 step that is timed
            clock.now += 100

    assert choose_precision("auto", "train", step, tmp_path / "p.json")[0].name == "bfloat16"


@pytest.mark.parametrize(("name", "dtype"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)])
def test_products_are_worked_out_in_the_precision(name, dtype):
    one = torch.ones(2, 2)
    with Precision(name).autocast("cpu"):
        assert (one @ one).dtype == dtype
    assert (one @ one).dtype == torch.float32
