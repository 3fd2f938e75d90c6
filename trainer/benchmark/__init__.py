"""What judder finds on public recordings of real machines, beside simple detectors in the same run."""
