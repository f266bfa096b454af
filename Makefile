# make without a verb lists what there is.

PYTHON ?= python3
SUBMISSION ?= submissions/finetune.py

# A mistyped variable would be ignored, and hours spent on something else.
OPTIONS_OF_SCORING := TASK DATA MODELS DEVICE SEED OUT STORE WORKERS BACKEND
KNOWN := PYTHON VENV NAME SUBMISSION SUBMISSIONS CHECKPOINTS COMPETITION PRECISION $(OPTIONS_OF_SCORING)
GIVEN := $(foreach name,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(name)))),$(name)))
UNKNOWN := $(filter-out $(KNOWN) -%,$(filter-out MAKE%,$(GIVEN)))
$(if $(UNKNOWN),$(error There is no variable $(UNKNOWN). There are: $(KNOWN)))
$(if $(filter %.py,$(MAKECMDGOALS)),$(error Name the file with SUBMISSION=$(firstword $(filter %.py,$(MAKECMDGOALS)))))
$(if $(and $(filter score,$(MAKECMDGOALS)),$(SUBMISSIONS)),$(error make score takes one SUBMISSION=; several are for make compare))
$(if $(and $(filter compare,$(MAKECMDGOALS)),$(filter command,$(firstword $(origin SUBMISSION)))),$(error make compare takes SUBMISSIONS="one.py other.py"))

$(if $(and $(CHECKPOINTS),$(filter command,$(firstword $(origin SUBMISSION)))),$(error make score takes SUBMISSION= or CHECKPOINTS=, not both))
$(if $(and $(CHECKPOINTS),$(filter-out score,$(MAKECMDGOALS))),$(error CHECKPOINTS= is for make score))
$(if $(and $(filter command,$(firstword $(origin NAME))),$(filter-out new,$(MAKECMDGOALS))),$(error NAME= is for make new; name the file with SUBMISSION=submissions/$(NAME).py))
$(if $(and $(PRECISION),$(filter-out bundle,$(MAKECMDGOALS))),$(error PRECISION= is for make bundle, whose notebook the other verbs use))

# The environment is made in out/venv, unless VENV= names one that is there already.
ifeq ($(origin VENV), undefined)
VENV := out/venv
READY := $(VENV)/ready
else ifeq ($(wildcard $(VENV)/bin/python),)
$(error VENV=$(VENV) holds no environment: there is no $(VENV)/bin/python)
endif
RUN := $(VENV)/bin/python

# Options for the scoring program: those of these variables that are set.
OPTIONS = $(foreach name,$(OPTIONS_OF_SCORING),\
	$(if $($(name)),--$(shell echo $(name) | tr A-Z a-z) '$($(name))'))

ON_KAGGLE = $(if $(COMPETITION),--competition '$(COMPETITION)')

.DEFAULT_GOAL := help
.PHONY: help env new score compare export bundle rehearse upload submissions test official check bench

help:  ## list the verbs
	@awk -F ':[^#]*## ' '/^[a-z]+:.*## /{printf "make %-11s %s\n", $$1, $$2}' Makefile
	@echo 'OPTIONS          $(OPTIONS_OF_SCORING)'

env: $(READY)  ## make the environment and nothing else  [PYTHON, VENV]

new: $(READY)  ## copy the template into submissions/NAME.py  [NAME]
	@$(RUN) -m starter_kit.new '$(NAME)'

score: $(READY)  ## score a submission, or checkpoints that it left elsewhere  [SUBMISSION, CHECKPOINTS, OPTIONS]
	@$(RUN) -m scoring score '$(SUBMISSION)' $(if $(CHECKPOINTS),--checkpoints '$(CHECKPOINTS)') $(OPTIONS)

compare: $(READY)  ## rank all of submissions/, or those named  [SUBMISSIONS, OPTIONS]
	@$(RUN) -m scoring compare $(SUBMISSIONS) $(OPTIONS)

export: $(READY)  ## write a task as the competition's input  [TASK, DATA, DEVICE, SEED, OUT, STORE]
	@$(RUN) -m scoring export $(OPTIONS)

bundle: $(READY)  ## make a notebook for Kaggle of it  [SUBMISSION, COMPETITION, PRECISION=half or single]
	@$(RUN) -m starter_kit.kaggle bundle '$(SUBMISSION)' $(ON_KAGGLE) $(if $(PRECISION),--precision '$(PRECISION)')

rehearse: $(READY)  ## run that notebook here as Kaggle would, and score what it writes  [SUBMISSION, OPTIONS]
	@$(RUN) -m scoring rehearse '$(SUBMISSION)' $(OPTIONS)

upload: $(READY)  ## send it to Kaggle, submit it, wait for the score  [SUBMISSION, COMPETITION]
	@$(RUN) -m starter_kit.kaggle upload '$(SUBMISSION)' $(ON_KAGGLE)

submissions: $(READY)  ## list past submissions with their scores  [COMPETITION]
	@$(RUN) -m starter_kit.kaggle submissions $(ON_KAGGLE)

test: $(READY)  ## run the tests
	@$(RUN) -m pytest

official: $(READY)  ## test what the default task has to show at 512 models; minutes
	@$(RUN) -m pytest -m official

check: $(READY)  ## lint, check types, run the tests
	@$(RUN) -m ruff check . && $(RUN) -m ruff format --check . && $(RUN) -m mypy && $(RUN) -m pytest

bench: $(READY)  ## time what has to be fast, and write the figures to tests/benchmarks/results/
	@$(RUN) -m tests.benchmarks

out/venv/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; $(PYTHON) is `$(PYTHON) --version 2>&1`. Name another with PYTHON="; exit 1; }
	@echo "Making the environment in out/venv: some gigabytes, a few minutes."
	@$(PYTHON) -m venv out/venv
	@out/venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@
