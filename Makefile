# `make` without a verb lists the verbs.

PYTHON ?= python3
SUBMISSION ?= submissions/finetune.py

# The variables given on the command line. A verb passes them to the program as options, which refuses unknown ones.
GIVEN := $(foreach name,$(filter-out -% MAKE%,$(.VARIABLES)),$(if $(filter command,$(firstword $(origin $(name)))),$(name)))
# make and the shell would execute what they find in a value: from here on it is text to make, and below to the shell.
$(foreach name,$(GIVEN) $(filter SUBMISSION PYTHON,$(.VARIABLES)),$(eval override $(name) := $$(value $(name))))
define line_break


endef
$(foreach name,$(GIVEN),$(if $(findstring $(line_break),$($(name))),$(error $(name) has a line break, which make cannot pass on. Rename the file)))
quoted = '$(subst ','\'',$(1))'
options = $(foreach name,$(filter-out PYTHON VENV $(1),$(GIVEN)),--$(shell printf %s $(call quoted,$(name)) | tr A-Z a-z) $(call quoted,$($(name))))
# What begins with a hyphen would be taken for an option.
one_file = $(call quoted,$(if $(filter -%,$(firstword $(1))),./)$(1))
given = $(if $(filter $(1),$(GIVEN)),$(call quoted,$($(1))))
# A list of files keeps * and ? and [] for the shell. Spaces separate its files: in a name, write ? for each space.
SPECIAL := \ ' " $$ ; & | < > ( ) ` ! { } ~ \#
escaped = $(if $(1),$(call escaped,$(wordlist 2,99,$(1)),$(subst $(firstword $(1)),\$(firstword $(1)),$(2))),$(2))
file_list = $(foreach one,$(call escaped,$(SPECIAL),$(1)),$(if $(filter -% *% ?% [%,$(one)),./)$(one))
$(if $(filter %.py,$(MAKECMDGOALS)),$(error Name the file with SUBMISSION=$(firstword $(filter %.py,$(MAKECMDGOALS)))))

# The environment is created in out/venv, unless VENV= names an existing one.
ifeq ($(origin VENV), undefined)
VENV := out/venv
READY := $(VENV)/ready
else ifneq ($(shell test -x $(call quoted,$(VENV)/bin/python) && echo yes),yes)
$(error VENV=$(VENV) is not an environment: there is no $(VENV)/bin/python)
endif
RUN := $(call quoted,$(VENV)/bin/python)
KIT := $(RUN) -m scoring

.DEFAULT_GOAL := help
.PHONY: help env new score compare tune certify browser show leaderboard bank host export bundle rehearse upload submissions lint test slow official cluster check bench calibration methods learners language gpu soak

help:  ## list the verbs
	@awk -F ':[^#]*## ' '/^[a-z]+:.*## /{printf "make %-11s %s\n", $$1, $$2}' Makefile
	@echo
	@echo 'OPTIONS, as NAME=value: TASK DATA MODEL MODELS DEVICE SEED OUT STORE WORKERS BACKEND'
	@echo 'score, compare, tune and certify also take LIMIT (seconds per run) and FORGET (how many examples).'
	@echo 'score, compare and tune take BANK (its file, or none); BACKEND=ray takes ADDRESS and SHARE (of a GPU).'
	@echo 'score, compare, tune and certify take SANDBOX=bwrap, for files that you did not write.'
	@echo 'score, compare and tune take SEEDS (as in 0,1,2); compare takes COLUMNS (as in retain,u_lira,klom).'
	@echo 'SUBMISSIONS is a list, as in "submissions/a*.py submissions/b.py"; write ? for a space in a name.'
	@echo $(call quoted,$(VENV)/bin/unlearning-kit VERB --help explains them.)

env: $(READY)  ## create the environment  [PYTHON, VENV]

new: $(READY)  ## start submissions/NAME.py from the template, or from a notebook  [NAME, FROM]
	@$(KIT) new $(call options,NAME) -- $(call quoted,$(NAME))

score: $(READY)  ## score a submission, or checkpoints made elsewhere  [SUBMISSION, CHECKPOINTS, OPTIONS]
	@$(KIT) score $(if $(filter SUBMISSION,$(GIVEN)),$(call one_file,$(SUBMISSION))) $(call options,SUBMISSION)

compare: $(READY)  ## rank all of submissions/, or those named  [SUBMISSIONS, OPTIONS]
	@$(KIT) compare $(call file_list,$(SUBMISSIONS)) $(call options,SUBMISSIONS)

tune: $(READY)  ## search a submission's constants, and score it with the best  [SUBMISSION, TRIALS, OPTIONS]
	@$(KIT) tune $(call one_file,$(SUBMISSION)) $(call options,SUBMISSION)

certify: $(READY)  ## check whether a submission with its own learning is exact  [SUBMISSION, OPTIONS]
	@$(KIT) certify $(call one_file,$(SUBMISSION)) $(call options,SUBMISSION)

browser:  ## install Chromium, for the tests of pages
	@apt-get install --yes --no-install-recommends chromium

show: $(READY)  ## open the newest page in a browser  [REPORTS]
	@$(KIT) show $(call options)

leaderboard: $(READY)  ## write one page per task with all its scores  [REPORTS, OUT]
	@$(KIT) leaderboard $(call options)

bank: $(READY)  ## write the original and the retrained models to a file  [TASK, MODELS, SEED, OUT, ...]
	@$(KIT) bank $(call options)

host: $(READY)  ## write your own Codabench or Kaggle competition  [KIND, SEED, ACCEPT, UPLOAD, ...]
	@$(KIT) host $(call options)

export: $(READY)  ## write a task as the competition's input  [TASK, DATA, MODEL, DEVICE, SEED, OUT, STORE]
	@$(KIT) export $(call options)

bundle: $(READY)  ## make a notebook for Kaggle  [SUBMISSION, COMPETITION, PRECISION=half or single]
	@$(KIT) bundle $(call one_file,$(SUBMISSION)) $(call options,SUBMISSION)

rehearse: $(READY)  ## run that notebook here as Kaggle would, and score its output  [SUBMISSION, OPTIONS]
	@$(KIT) rehearse $(call one_file,$(SUBMISSION)) $(call options,SUBMISSION)

upload: $(READY)  ## send it to Kaggle, submit it, wait for the score  [SUBMISSION, COMPETITION]
	@$(KIT) upload $(call one_file,$(SUBMISSION)) $(call options,SUBMISSION)

submissions: $(READY)  ## list past submissions to Kaggle with their scores  [COMPETITION]
	@$(KIT) submissions $(call options)

lint: $(READY)  ## check lint, format and types
	@$(RUN) -m ruff check . && $(RUN) -m ruff format --check . && $(RUN) -m mypy

test: $(READY)  ## run the tests, several files at a time
	@$(RUN) -m pytest --numprocesses auto --dist loadfile

slow: $(READY)  ## run the tests that take longest; some ten minutes
	@$(RUN) -m pytest -m slow

cluster: $(READY)  ## run the tests that start Ray clusters; some ten minutes
	@$(RUN) -m pytest -m cluster

official: $(READY)  ## check that 512 models give sensible results; some twenty minutes
	@$(RUN) -m pytest -m official

check: lint test  ## what continuous integration runs

bench: $(READY)  ## time what must be fast, and write tests/benchmarks/results/
	@$(RUN) -m tests.benchmarks

learners: $(READY)  ## measure exact, merged and private submissions for submissions/README.md; an hour
	@$(RUN) -m tests.benchmarks.learners

calibration: $(READY)  ## measure what intervals cover, for scoring/README.md; an hour and a half  [REPEATS]
	@$(RUN) -m tests.benchmarks.calibration $(call given,REPEATS)

methods: $(READY)  ## tune and compare all methods on pictures, for the tables in the README files; most of a day
	@$(RUN) -m tests.benchmarks.methods

language: $(READY)  ## measure methods on text for submissions/README.md; about an hour
	@$(RUN) -m tests.benchmarks.language

gpu: $(READY)  ## check and time the kit on an NVIDIA GPU, in nine minutes  [SECONDS]
	@$(RUN) -m tests.benchmarks.gpu $(call given,SECONDS)

soak: $(READY)  ## kill the program a thousand times at random moments; about an hour  [KILLS]
	@$(RUN) -m tests.soak $(call given,KILLS)

out/venv/ready: pyproject.toml constraints.txt
	@$(call quoted,$(PYTHON)) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo Python 3.11 or newer is required, found $(call quoted,$(PYTHON)), "`$(call quoted,$(PYTHON)) --version 2>&1`." \
		Name another with PYTHON=; exit 1; }
	@echo "Creating the environment in out/venv: several gigabytes, a few minutes."
	@$(call quoted,$(PYTHON)) -m venv out/venv
	@out/venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@
