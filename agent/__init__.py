"""The gateway: from the sampler to the uplink, the technician's commands, and the inference they share."""
