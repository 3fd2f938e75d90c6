"""A process of our own: it answers, and its death is an answer, too."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from trainer.system.child import Child, ChildDied
from trainer.system.quiet import diverted_output

ANSWERS = """
import json, os, sys
for line in sys.stdin:
    asked = json.loads(line)
    print("chatter", file=sys.stderr)
    if "exit" in asked:
        sys.exit(asked["exit"])
    if "kill" in asked:
        os.kill(os.getpid(), asked["kill"])
    print(json.dumps({"twice": 2 * asked["n"], "pid": os.getpid(), "word": os.environ["WORD"]}), flush=True)
"""


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    (tmp_path / "doubling.py").write_text(ANSWERS)
    with Child("doubling", {"PYTHONPATH": str(tmp_path), "WORD": "said"}) as child:
        yield child


def test_one_process_answers_all_questions(child: Child) -> None:
    first, second = child.ask({"n": 1}), child.ask({"n": 21})
    assert (first["twice"], second["twice"]) == (2, 42)
    assert first["pid"] == second["pid"] != os.getpid()
    assert first["word"] == "said"


@pytest.mark.parametrize(
    ("request_", "told", "out_of_memory"),
    [
        ({"exit": 3}, "exit code 3", False),
        ({"kill": signal.SIGKILL}, "ended by SIGKILL", True),
        ({"kill": signal.SIGABRT}, "ended by SIGABRT", False),
    ],
)
def test_a_death_is_told_and_the_next_question_answered(
    child: Child, request_: dict[str, int], told: str, out_of_memory: bool
) -> None:
    with pytest.raises(ChildDied) as caught:
        child.ask(request_)
    assert str(caught.value) == told
    assert caught.value.out_of_memory is out_of_memory
    assert child.ask({"n": 4})["twice"] == 8


def test_a_closed_child_is_gone_and_may_be_closed_twice(child: Child) -> None:
    pid = child.ask({"n": 1})["pid"]
    child.close()
    child.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert child.ask({"n": 1})["pid"] != pid


def test_a_module_that_is_none_is_an_answer() -> None:
    with Child("no_such_module_anywhere", {}) as child, pytest.raises(ChildDied, match="exit code 1"):
        child.ask({"n": 1})


def test_chatter_from_below_python_is_thrown_away(capfd: pytest.CaptureFixture[str]) -> None:
    with diverted_output():
        os.write(1, b"from C++\n")
        os.write(2, b"from CUDA\n")
    os.write(1, b"ours\n")
    assert capfd.readouterr() == ("ours\n", "")


def test_output_comes_back_after_a_failure(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError), diverted_output():
        raise ZeroDivisionError
    os.write(2, b"ours\n")
    assert capfd.readouterr().err == "ours\n"
