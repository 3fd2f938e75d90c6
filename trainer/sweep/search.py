"""Trials one after the other, or in several processes side by side."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from pathlib import Path

import optuna
from optuna.trial import TrialState

from trainer.errors import Interrupted
from trainer.sweep.trials import FINISHED, PID, REASON, Job, run_trial
from trainer.system.child import Child, ChildDied
from trainer.system.quiet import load_keras

OnTrial = Callable[[int], None]
"""Takes the number of finished trials."""

_SEEDS = 100_003
"""Trials of one seed propose with numbers that another seed does not reach."""


def search(
    job: Job, study: optuna.Study, storage: Path, *, trials: int, jobs: int, seed: int, on_trial: OnTrial
) -> None:
    """Run trials until so many are finished, those of earlier calls included.

    Args:
        job: What each trial needs.
        study: The search.
        storage: Its file.
        trials: How many.
        jobs: How many at the same time; more than one run in processes of their own.
        seed: Of the proposals.
        on_trial: Called with the number of finished trials.

    Raises:
        Interrupted: On Ctrl-C; the finished trials are kept.
    """
    _bury(study)
    on_trial(_finished(study))
    try:
        if jobs == 1:
            _one_by_one(job, study, trials, seed, on_trial)
        else:
            _side_by_side(job, study, storage, trials=trials, jobs=jobs, seed=seed, on_trial=on_trial)
    except KeyboardInterrupt:
        _bury(study)
        raise Interrupted(
            f"interrupted; {_finished(study)} trials are kept in {storage}: give the same command again to "
            "go on"
        ) from None


def _finished(study: optuna.Study) -> int:
    return len(study.get_trials(deepcopy=False, states=FINISHED))


def _one_by_one(job: Job, study: optuna.Study, trials: int, seed: int, on_trial: OnTrial) -> None:
    load_keras()
    while (done := _finished(study)) < trials:
        run_trial(job, study, seed * _SEEDS + done)
        on_trial(done + 1)


def _side_by_side(
    job: Job, study: optuna.Study, storage: Path, *, trials: int, jobs: int, seed: int, on_trial: OnTrial
) -> None:
    """Run trials in processes of their own, each fed by a thread, which all take from one row of numbers."""
    numbers = iter(range(_finished(study), trials))
    taking = threading.Lock()
    stop = threading.Event()

    def work(child: Child, folder: str) -> None:
        while not stop.is_set():
            with taking:
                number = next(numbers, None)
            if number is None:
                return
            request = {"folder": folder, "storage": str(storage), "seed": seed * _SEEDS + number}
            try:
                child.ask(request)
            except ChildDied as death:
                if not stop.is_set():
                    _died(study, death)
            with taking:
                on_trial(_finished(study))

    with tempfile.TemporaryDirectory(prefix="judder-sweep-") as folder, ExitStack() as owned:
        job.save(Path(folder))
        shared = _shared_machine(jobs)
        children = [owned.enter_context(Child("trainer.sweep.worker", shared)) for _ in range(jobs)]
        _in_threads(children, lambda child: work(child, folder), stop)


def _shared_machine(jobs: int) -> dict[str, str]:
    """Return the environment in which so many processes share the cores, and the memory of a GPU."""
    threads = str(max((os.cpu_count() or 1) // jobs, 1))
    return {
        "OMP_NUM_THREADS": threads,
        "TF_NUM_INTRAOP_THREADS": threads,
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    }


def _in_threads(children: Sequence[Child], work: Callable[[Child], None], stop: threading.Event) -> None:
    """Work with each child in a thread of its own; whatever ends this ends the children, too."""
    with ThreadPoolExecutor(len(children)) as pool:
        running = [pool.submit(work, child) for child in children]
        try:
            wait(running)
        finally:
            stop.set()  # before the children die: then their deaths are nobody's failure
            for child in children:
                child.kill()
    for result in running:
        result.result()


def _died(study: optuna.Study, death: ChildDied) -> None:
    reason = "out of memory: its process was killed" if death.out_of_memory else f"its process {death}"
    # One without a number of a process has just begun in another one.
    _bury(study, reason, nameless=False)


def _bury(study: optuna.Study, reason: str = "interrupted", nameless: bool = True) -> None:
    """Mark the trials as failed whose process is no more."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        pid = trial.user_attrs.get(PID)
        if nameless if pid is None else not _lives(pid):
            study._storage.set_trial_user_attr(trial._trial_id, REASON, reason)
            study.tell(trial.number, state=TrialState.FAIL)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
