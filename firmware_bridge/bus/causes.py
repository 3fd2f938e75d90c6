"""What the kernel's error numbers mean on an I2C bus: the likely cause, and the technician's next step.

Source: Linux ``Documentation/i2c/fault-codes.rst``.
"""

from __future__ import annotations

import errno

_NO_ANSWER = "no answer from this address; check wiring, address jumper and power (i2cdetect -y BUS)"
CAUSES = {
    errno.ENXIO: _NO_ANSWER,
    errno.EREMOTEIO: _NO_ANSWER,
    errno.ENODEV: "the bus is gone; plug the adapter in again",
    errno.ETIMEDOUT: "timed out; a chip holds the clock or data line low: power-cycle it, check the pull-ups",
    errno.EIO: "transfer failed; check wiring, cable length and pull-ups",
    errno.EAGAIN: "lost arbitration: another master, or a line stuck low; try again, then check the wiring",
    errno.EBUSY: "a kernel driver holds this address (unload it: modprobe -r adxl345_i2c adxl34x_i2c), "
    "or a chip holds the data line low (power-cycle it)",
    errno.EOPNOTSUPP: "the adapter cannot do this transfer; use one with plain I2C",
    errno.EINVAL: "the adapter refused the transfer as invalid",
    errno.ENOTTY: "this is not an I2C bus; name a node such as /dev/i2c-1",
    errno.EBADF: "the bus is closed; open it again",
}
"""Likely cause and next step by errno."""

TRANSIENT = frozenset({errno.ENXIO, errno.EREMOTEIO, errno.ETIMEDOUT, errno.EIO, errno.EAGAIN, errno.EBUSY})
"""Errors that the same transfer, tried again, may not have."""
