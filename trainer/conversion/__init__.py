"""From Keras to TFLite, in a process of its own."""
