"""A process that runs trials of a search, one for each line of its standard input."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from trainer.sweep.trials import Job, reopen_study, run_trial
from trainer.system.quiet import diverted_output, load_keras


def main() -> None:
    """Run a trial for each request until the input ends."""
    with os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8") as answers, diverted_output():
        load_keras()
        for line in sys.stdin:
            request = json.loads(line)
            job = Job.load(Path(request["folder"]))
            trial = run_trial(job, reopen_study(Path(request["storage"])), request["seed"])
            answers.write(json.dumps({"number": trial.number}) + "\n")
            answers.flush()


if __name__ == "__main__":
    main()
