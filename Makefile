# make play   installs what is missing and opens the instrument   (ARGS="--headless" and the like are passed on)
# make test   installs what is missing and runs every check
# make package builds the frozen program and the .deb under build/, tests them and prints their sizes
# make pictures makes the pictures of the manual and the README: the real program on a screen of its own
# make trials runs what takes long: a soak, faults, damaged input, evenness of models; it writes docs/reliability.md
#             (ARGS="--soak-minutes 5 --mutation-share 0.1" for shorter ones)

PYTHON ?= python3
BIN := .venv/bin
SMOKE := artifacts/smoke
ARITHMETIC := tests/music tests/models tests/training tests/contracts/test_note_models.py tests/contracts/test_sound_models.py

.PHONY: pictures play test check trials lint format bench train-smoke package ready-play ready-test

play: ready-play
	@$(BIN)/hocket play $(ARGS)

test: ready-test
	@$(MAKE) --no-print-directory --keep-going lint check

# Tests that only compute run in parallel. Tests with real time, devices or windows run one at a time.
check:
	@failed=0; \
	$(BIN)/python -m pytest --cov --cov-report= -n auto --dist loadfile $(ARITHMETIC) $(ARGS) || failed=1; \
	$(BIN)/python -m pytest --cov --cov-append $(ARITHMETIC:%=--ignore=%) $(ARGS) || failed=1; \
	exit $$failed

pictures: ready-test
	$(BIN)/python -m tests.ui.pictures --manual

trials: ready-test
	$(BIN)/python -m pytest -m trial $(ARGS)

lint:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format:
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: ready-play
	@$(BIN)/hocket bench --json $(ARGS)

train-smoke: ready-test
	rm -rf $(SMOKE)
	$(BIN)/python -m training prepare tests/fixtures/midi --out $(SMOKE)/data
	$(BIN)/python -m training fit --recipe tests/fixtures/recipes/smoke.toml --run $(SMOKE)/run
	$(BIN)/python -m training export --checkpoint $(SMOKE)/run/best.safetensors --out $(SMOKE)/models

package: ready-test
	@$(BIN)/python packaging/package.py

ready-play:
	@$(PYTHON) packaging/install.py play

ready-test:
	@$(PYTHON) packaging/install.py test
