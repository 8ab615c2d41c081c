# Everything sets itself up: a virtual environment in .venv with the versions of constraints.txt.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PACKAGES := livevlm memory streams

# Where PyTorch's CPU build is looked for on a machine without an NVIDIA driver. On Linux the default package index has the CUDA
# build alone, which brings gigabytes of CUDA libraries along; it is what is installed where this address cannot be reached.
# `make setup TORCH_INDEX=` takes the default index at once.
ifeq ($(shell command -v nvidia-smi 2>/dev/null),)
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
endif
TORCH := $(shell sed -n 's/^torch==/torch==/p' constraints.txt)
# The extra of pyproject.toml that brings FAISS: cpu, or gpu with `make setup FAISS=gpu`. Never both; the choice is remembered.
FAISS ?= $(or $(shell cat $(VENV)/.faiss 2>/dev/null),cpu)
STAMP := $(VENV)/.installed-$(FAISS)

.DEFAULT_GOAL := help
.PHONY: help setup demo test check format bench train clean

help:  ## show this list
	@sed -n 's/^\([a-z]*\):.*##/  make \1\t/p' $(MAKEFILE_LIST)

setup: $(STAMP)  ## install into .venv (every other target does it by itself)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "Python 3.11 or newer is needed; name one with: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PY) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@echo "Setting up $(VENV): PyTorch, a few hundred megabytes, and the rest; once, some minutes without a word."
	@$(PY) -c 'import sys, urllib.request as r; r.urlopen(sys.argv[1] + "/torch/", timeout=5).read(1)' \
	    '$(TORCH_INDEX)' >/dev/null 2>&1 && index='--extra-index-url $(TORCH_INDEX)' || index=; \
	$(PY) -m pip install -qq --disable-pip-version-check $$index -c constraints.txt $(TORCH)
	@$(PY) -m pip uninstall -qq -y $(filter-out faiss-$(FAISS),faiss-cpu faiss-gpu)
	@$(PY) -m pip install -qq --disable-pip-version-check -c constraints.txt -e '.[$(FAISS),dev]'
	@rm -f $(VENV)/.installed* && echo $(FAISS) > $(VENV)/.faiss && touch $@

demo: $(STAMP)  ## start the daemon on the bundled sample, ask it, print answers and evidence
	$(PY) -m livevlm.demo

test: $(STAMP)  ## all tests
	$(PY) -m pytest

check: $(STAMP)  ## lint, format, types
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

format: $(STAMP)  ## let ruff mend what it can
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

bench: $(STAMP)  ## every benchmark
	$(VENV)/bin/livevlm bench all

# Without the two settings the C library hands every large tensor back to the system and faults it in again: half the speed.
train: $(STAMP)  ## train the bundled model anew into runs/glance (some hours on two cores); goes on where it was broken off
	MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=1000000000000 $(PY) -m livevlm.training --out runs/glance

clean:  ## remove what was built, .venv too
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
