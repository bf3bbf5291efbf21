# Circumplex: `make demo` and `make test` set up all they need; they ask for Python 3.11 and make.
PYTHON ?= python3.11
SEED ?= 0
CORES ?= 2
DEPTH ?= 100
MODEL ?= starter
OUTPUT ?= predicted
BIN := .venv/bin
DEMO := .demo/seed$(SEED)
SNAKEMAKE := $(BIN)/snakemake --cores $(CORES)
STILLS = backbones={"still_sets":{"drawn":{"path":"$(DEMO)/corpus/stills/stills.csv"}}}
DEMO_CONFIG = --configfile config/demo.yaml --config samples=$(DEMO)/corpus/samples.tsv results=$(DEMO)/results '$(STILLS)'

.PHONY: demo corpus predict starter-check starter-accuracy rates score ensembles test unit lint lock control modalities \
  precision backbone-gain overfit leaks estimate follow-check gpu-check tune cards test-cluster test-faults test-conda fuzz audit clean

.venv/.locked: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

.venv/.development: .venv/.locked requirements-dev.lock
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements-dev.lock
	touch $@

corpus: .venv/.locked ## draw the demo corpus of seed SEED
	$(BIN)/python -m demo.corpus.make --seed $(SEED) --size demo --out $(DEMO)/corpus --truth $(DEMO)/truth

demo: corpus ## from videos to submission files and a report, on the drawn corpus
	$(SNAKEMAKE) $(DEMO_CONFIG)
	$(MAKE) --no-print-directory score

predict: .venv/.locked ## valence and arousal of VIDEOS (files or folders) into OUTPUT, by MODEL
	$(BIN)/circumplex predict $(VIDEOS) --model $(MODEL) --output $(OUTPUT)

starter-check: .venv/.locked ## the starter model on two clips of real faces in MEDIA, which are not shipped
	$(BIN)/python -m demo.checks.starter --media $(MEDIA)

starter-accuracy: .venv/.locked ## the starter network on FER+'s test images in FERPLUS, laid out as docs/backbones.md says
	$(BIN)/python -m demo.checks.starter_accuracy --ferplus $(FERPLUS)

rates: .venv/.locked ## predictions of the clips CLIPS at five frame rates, by MODEL, against each other
	$(BIN)/python -m demo.checks.rates --media $(CLIPS) --model $(MODEL)

score: .venv/.locked ## CCC of the demo's submission on the withheld test annotations
	$(BIN)/python -m demo.checks.score --truth $(DEMO)/truth --submission $(DEMO)/results/submissions/*

estimate: .venv/.locked ## what a run of CONFIGS (presets over config.yaml) will cost
	$(BIN)/circumplex estimate --configfile $(CONFIGS)

follow-check: .venv/.locked ## faces followed between detections on the clips CLIPS, against every frame
	$(BIN)/python benchmarks/following.py $(CLIPS) --loop

GPU_PYTHON ?= $(BIN)/python
DEVICE ?= cuda:0
gpu-check: ## a GPU against the CPU, in minutes; any Python with PyTorch: GPU_PYTHON=python3.12
	PYTHONPATH=workflow/scripts $(GPU_PYTHON) -m demo.checks.gpu --device $(DEVICE)

tune: .venv/.locked ## measure the deep extractors' settings on this machine; recommends config values
	$(BIN)/circumplex tune --configfile $(CONFIGS)

ensembles: .venv/.locked ## the demo's ensembles against their members, on the withheld test annotations
	$(BIN)/python -m demo.checks.ensembles --truth $(DEMO)/truth --results $(DEMO)/results

leaks: corpus ## what box positions or clip means alone would score
	$(BIN)/python -m demo.checks.leaks --corpus $(DEMO)/corpus --truth $(DEMO)/truth --results $(DEMO)/results

modalities: corpus ## the same encoder on both modalities, and on each alone
	$(BIN)/python -m demo.checks.modalities --seed $(SEED) --cores $(CORES)

precision: corpus ## the demo with its networks in bfloat16, against float32
	$(BIN)/python -m demo.checks.precision --seed $(SEED) --cores $(CORES)

backbone-gain: corpus ## visual features of trained networks against those of random ones
	$(BIN)/python -m demo.checks.backbone_gain --seed $(SEED) --cores $(CORES)

overfit: corpus ## each backbone recipe on 64 faces, the IResNets with DEPTH layers
	$(BIN)/python -m demo.checks.overfit --corpus $(DEMO)/corpus --depth $(DEPTH) --threads $(CORES)

control: demo ## a permutation test: real annotations against shuffled ones, on the demo's features
	$(BIN)/python -m demo.checks.control --results $(DEMO)/results --truth $(DEMO)/truth --cores $(CORES)

unit: .venv/.development ## what to run before each commit
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/mypy
	$(BIN)/lint-imports
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(CORES) --dist loadfile -m "not slow" tests/unit

# Tests of the workflow last from seconds to minutes: loadgroup deals them out one at a time. Those that
# mount disks or start Slurm come last, as root, on the finished run of the others.
test: unit ## all that CI runs
	runs=$$(mktemp -d) && trap 'rm -rf "$$runs"' EXIT && \
	  export OMP_NUM_THREADS=1 CIRCUMPLEX_SHARED_RUNS=$$runs && \
	  tests/unprivileged.sh $(BIN)/python -m pytest -n $(CORES) --dist loadgroup \
	    -m "slow and not root and not cluster and not faults" tests && \
	  $(BIN)/python -m pytest -m "root and not cluster and not faults" tests/workflow

test-cluster: .venv/.development corpus ## the whole demo on a Slurm of two nodes; as root, with slurm-wlm, munge, rsync
	tests/cluster/slurm.sh start $(DEMO)/slurm
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/snakemake --profile profiles/slurm --configfile config/demo.yaml \
	  --config samples=$(DEMO)/corpus/samples.tsv results=$(DEMO)/cluster '$(STILLS)'; \
	  status=$$?; tests/cluster/slurm.sh stop $(DEMO)/slurm; exit $$status
	$(BIN)/python -m demo.checks.score --truth $(DEMO)/truth --submission $(DEMO)/cluster/submissions/*
	$(BIN)/python -m pytest -m cluster tests/workflow

test-faults: .venv/.development demo ## the demo killed at 20 random moments or more, and every stage on a full disk
	$(BIN)/python -m demo.checks.faults --seed $(SEED) --cores $(CORES)
	$(BIN)/python -m pytest -m faults tests/workflow

INPUTS ?= 2000
fuzz: .venv/.development ## damaged and hostile files, INPUTS of them, against the code that reads them
	PYTHONPATH=tests:tests/helpers OMP_NUM_THREADS=1 $(BIN)/python -m fuzz.fuzz --inputs $(INPUTS) --seed $(SEED)

test-conda: .venv/.locked ## the environments of envs/, by a substitute for conda; torch's takes 7 GB
	$(PYTHON) -m venv .tools
	.tools/bin/python -m pip install --quiet py-rattler==0.28.0 pyyaml==6.0.3
	.tools/bin/python tests/conda/try_environments.py

audit: .venv/.locked ## the lock against PyPI's advisories; fails if these cannot be reached
	$(PYTHON) -m venv .tools
	.tools/bin/python -m pip install --quiet pip-audit==2.10.1
	.tools/bin/pip-audit --strict --disable-pip --require-hashes -r requirements.lock -r requirements-dev.lock

cards: .venv/.locked ## the feature cards of docs/features.md
	$(BIN)/circumplex cards
	$(BIN)/circumplex options

lock: .venv/.locked ## add to the locks what pyproject.toml asks for; needs all Pythons that it names
	$(BIN)/python tools/lock.py

clean: ## remove what the demo and the tests made
	rm -rf .demo .test .tools
