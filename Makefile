# Every target sets itself up: Python 3.11 (or later), make, and the Debian and Python registries are enough.

PYTHON ?= python3.11
GATEWAY := .venv-gateway
VENV := .venv
PIP := -m pip install --quiet --disable-pip-version-check

.PHONY: help demo demo-model test coverage lint format types bench torture gateway-vm arm lock clean mosquitto referees

help:
	@echo "make demo        watch a simulated machine fail (gateway install, no TensorFlow)"
	@echo "make test        lint, types and all tests"
	@echo "make coverage    all tests, and the lines and branches that none of them runs"
	@echo "make bench       cost per window, FIFO drain, memory, latency"
	@echo "make torture     1,000 cycles of kills, cuts, full disks and wrong clocks: is an alert lost?"
	@echo "make gateway-vm  boot systemd, the service and a kernel I2C bus in a virtual machine (root, some minutes)"
	@echo "make arm         score bundles of every architecture with the ARM runtimes, under emulation (root)"
	@echo "make demo-model  train the demo's bundle from scratch"
	@echo "make lint, make format, make types, make lock, make clean"

demo: $(GATEWAY)/.ready mosquitto
	$(GATEWAY)/bin/judder demo --state-dir .demo
	$(GATEWAY)/bin/judder alerts --config .demo/judder.toml

demo-model: $(VENV)/.ready
	$(VENV)/bin/judder-train demo-model --out agent/demo/demo-1.judder

# What drives processes against the clock mostly waits, and leaves the processors to training. A module stays in
# one process, which trains what its tests share once.
test: lint types referees
	$(VENV)/bin/pytest --numprocesses 3 --dist loadscope --no-loadscope-reorder

# What a process that is killed has run does not count.
coverage: referees $(VENV)/.ready
	$(VENV)/bin/pytest --numprocesses 3 --dist loadscope --no-loadscope-reorder --cov --cov-report term

lint: $(VENV)/.ready
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

format: $(VENV)/.ready
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

types: $(VENV)/.ready
	$(VENV)/bin/mypy

# One thread for matrix products, as the unit has it.
bench: $(VENV)/.ready
	OPENBLAS_NUM_THREADS=1 $(VENV)/bin/python -m benchmarks

torture: $(VENV)/.ready mosquitto
	$(VENV)/bin/python -m benchmarks.torture --cycles 1000

gateway-vm: $(VENV)/.ready
	@$(call install,mmdebstrap,mmdebstrap)
	@$(call install,mke2fs,e2fsprogs)
	@$(call install,qemu-system-x86_64,qemu-system-x86)
	$(VENV)/bin/python tests/gateway_vm/boot.py .gateway-vm

arm: $(VENV)/.ready
	@$(call install,mmdebstrap,mmdebstrap)
	@$(call install,qemu-arm-static,qemu-user-static)
	tests/arm/check.sh .arm

# The lock files hold versions and hashes, and no registry: pip asks whichever it is configured for.
lock: $(VENV)/.ready
	$(VENV)/bin/python $(PIP) uv
	$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
		--no-header pyproject.toml --output-file requirements/gateway.lock
	$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
		--no-header --extra trainer --extra benchmark --extra sparkplug --extra dev pyproject.toml \
		--output-file requirements/dev.lock

clean:
	rm -rf $(VENV) $(GATEWAY) .demo .gateway-vm .arm build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage*

$(GATEWAY)/.ready: requirements/gateway.lock pyproject.toml
	$(PYTHON) -m venv $(GATEWAY)
	$(GATEWAY)/bin/python $(PIP) --require-hashes --requirement requirements/gateway.lock
	$(GATEWAY)/bin/python $(PIP) --no-deps --editable .
	touch $@

$(VENV)/.ready: requirements/dev.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python $(PIP) --require-hashes --requirement requirements/dev.lock
	$(VENV)/bin/python $(PIP) --no-deps --editable .
	touch $@

# A real broker, for the demo and the tests: installed if it is missing and we may; the demo runs without, too.
mosquitto:
	@$(call install,mosquitto,mosquitto)

# What else the tests hold judder against: certificates, systemd's own verdict on the unit, Prometheus' on the metrics.
referees: mosquitto
	@$(call install,openssl,openssl)
	@$(call install,systemd-analyze,systemd)
	@$(call install,promtool,prometheus)

# $(call install,COMMAND,PACKAGE)
define install
PATH="$$PATH:/usr/sbin"; command -v $(1) >/dev/null || { \
	sudo=; [ "$$(id -u)" = 0 ] || sudo="sudo -n"; \
	$$sudo apt-get update -qq && \
	DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq --no-install-recommends $(2) >/dev/null; } || \
	echo "$(1) is missing and could not be installed: apt-get install $(2)"
endef
