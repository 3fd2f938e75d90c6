"""From healthy recordings to a bundle: training, quantization, calibration, and what was measured."""
