"""What judder costs, as ratios to a floor or a peer in the same run. ``python -m benchmarks`` prints all."""
