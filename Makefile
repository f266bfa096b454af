# `make` without a verb lists the verbs.

PYTHON ?= python3
SUBMISSION ?= submissions/finetune.py

# The variables given on the command line. A verb passes them to the program as options, which refuses unknown ones.
GIVEN := $(foreach name,$(filter-out -% MAKE%,$(.VARIABLES)),$(if $(filter command,$(firstword $(origin $(name)))),$(name)))
options = $(foreach name,$(filter-out PYTHON VENV $(1),$(GIVEN)),--$(shell echo $(name) | tr A-Z a-z) '$($(name))')
$(if $(filter %.py,$(MAKECMDGOALS)),$(error Name the file with SUBMISSION=$(firstword $(filter %.py,$(MAKECMDGOALS)))))

# The environment is created in out/venv, unless VENV= names an existing one.
ifeq ($(origin VENV), undefined)
VENV := out/venv
READY := $(VENV)/ready
else ifeq ($(wildcard $(VENV)/bin/python),)
$(error VENV=$(VENV) is not an environment: there is no $(VENV)/bin/python)
endif
RUN := $(VENV)/bin/python
KIT := $(RUN) -m scoring

.DEFAULT_GOAL := help
.PHONY: help env new score compare tables export bundle rehearse upload submissions lint test official check bench

help:  ## list the verbs
	@awk -F ':[^#]*## ' '/^[a-z]+:.*## /{printf "make %-11s %s\n", $$1, $$2}' Makefile
	@echo
	@echo 'OPTIONS, as NAME=value: TASK DATA MODELS DEVICE SEED OUT STORE WORKERS BACKEND'
	@echo '$(VENV)/bin/unlearning-kit VERB --help explains them.'

env: $(READY)  ## create the environment  [PYTHON, VENV]

new: $(READY)  ## copy the template to submissions/NAME.py  [NAME]
	@$(KIT) new '$(NAME)' $(call options,NAME)

score: $(READY)  ## score a submission, or checkpoints made elsewhere  [SUBMISSION, CHECKPOINTS, OPTIONS]
	@$(KIT) score $(if $(filter SUBMISSION,$(GIVEN)),'$(SUBMISSION)') $(call options,SUBMISSION)

compare: $(READY)  ## rank all of submissions/, or those named  [SUBMISSIONS, OPTIONS]
	@$(KIT) compare $(SUBMISSIONS) $(call options,SUBMISSIONS)

tables: $(READY)  ## write the results of make compare into the README files
	@$(KIT) tables $(call options)

export: $(READY)  ## write a task as the competition's input  [TASK, DATA, DEVICE, SEED, OUT, STORE]
	@$(KIT) export $(call options)

bundle: $(READY)  ## make a notebook for Kaggle  [SUBMISSION, COMPETITION, PRECISION=half or single]
	@$(KIT) bundle '$(SUBMISSION)' $(call options,SUBMISSION)

rehearse: $(READY)  ## run that notebook here as Kaggle would, and score its output  [SUBMISSION, OPTIONS]
	@$(KIT) rehearse '$(SUBMISSION)' $(call options,SUBMISSION)

upload: $(READY)  ## send it to Kaggle, submit it, wait for the score  [SUBMISSION, COMPETITION]
	@$(KIT) upload '$(SUBMISSION)' $(call options,SUBMISSION)

submissions: $(READY)  ## list past submissions to Kaggle with their scores  [COMPETITION]
	@$(KIT) submissions $(call options)

lint: $(READY)  ## check lint, format and types
	@$(RUN) -m ruff check . && $(RUN) -m ruff format --check . && $(RUN) -m mypy

test: $(READY)  ## run the tests
	@$(RUN) -m pytest

official: $(READY)  ## check that 512 models give sensible results; some twenty minutes
	@$(RUN) -m pytest -m official

check: lint test  ## what continuous integration runs

bench: $(READY)  ## time what must be fast, and write tests/benchmarks/results/
	@$(RUN) -m tests.benchmarks

out/venv/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is required; $(PYTHON) is `$(PYTHON) --version 2>&1`. Name another with PYTHON="; exit 1; }
	@echo "Creating the environment in out/venv: several gigabytes, a few minutes."
	@$(PYTHON) -m venv out/venv
	@out/venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@
