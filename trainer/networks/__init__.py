"""Networks: architectures, loops over batches, training with and without each fold."""
