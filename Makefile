PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

# Each needs a core and 2 GB of memory.
PROCESSES ?= 2

EXTRAS := cross-encoder,huggingface,google-genai,gemini,openai-like,qdrant,server,celery,django,tracing,bench,eval,notebooks,readers,redis,openfeature,dev

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench bench-peers bench-persian bench-rerank bench-serving soak notebooks docs lock licences clean

help: ## Show what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1	/' | expand -t 16

demo: $(VENV)/core ## Set up, ingest the sample, ask ten questions, show the stages [MODEL=a cross-encoder's folder]
	$(BIN)/python examples/demo.py $(if $(MODEL),--model "$(MODEL)")

test: $(VENV)/dev ## Set up and run all tests, in two processes [PROCESSES=n; 0 for this one alone]
	$(BIN)/python -m pytest --numprocesses $(PROCESSES) --dist loadgroup --no-loadscope-reorder

lint: $(VENV)/dev ## Check style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/dev ## Compare speed with the stock LlamaIndex pipeline, as ratios of one run: make bench [SQUAD=file.json]
	$(BIN)/python benchmarks/tenants/speed.py --sizes 100 1000 10000 $(if $(SQUAD),--squad "$(SQUAD)")

bench-peers: $(VENV)/dev ## Compare with LlamaIndex, LangChain, Haystack and RAGLite: make bench-peers SQUAD=file.json
	@test -n "$(SQUAD)" || { echo "name a file in the format of SQuAD: make bench-peers SQUAD=file.json"; exit 2; }
	$(BIN)/python benchmarks/peers/environments.py
	$(BIN)/python benchmarks/persian/build.py "$(SQUAD)" build/persian-peers --limit 200
	$(BIN)/python benchmarks/rerank/full_size.py base --squad "$(SQUAD)"
	RAG_APP_CACHE_DIR=build/rerank/cache $(BIN)/rag-app models export build/rerank/base --int8
	RAG_APP_CACHE_DIR=build/rerank/cache $(BIN)/python benchmarks/peers/against_peers.py build/persian-peers \
		--model build/rerank/base --json benchmarks/peers/results.json
	$(BIN)/python benchmarks/peers/rendering.py

bench-persian: $(VENV)/dev ## Compare ways of writing Persian: make bench-persian SQUAD=file.json [DRAW='--limit 600 --seed 1']
	@test -n "$(SQUAD)" || { echo "name a file in the format of SQuAD: make bench-persian SQUAD=file.json"; exit 2; }
	$(BIN)/python benchmarks/persian/build.py "$(SQUAD)" build/persian $(or $(DRAW),--limit 300)
	$(BIN)/python benchmarks/persian/table.py build/persian --stages
	$(BIN)/python benchmarks/persian/build.py "$(SQUAD)" build/persian-split $(or $(DRAW),--limit 300) --sources manual web
	$(BIN)/python benchmarks/persian/table.py build/persian-split --sources manual web

bench-rerank: $(VENV)/dev ## Compare the cross-encoder with stock's at full size: make bench-rerank [SQUAD=file.json]
	$(BIN)/python benchmarks/rerank/against_stock.py $(if $(SQUAD),--squad "$(SQUAD)")
	$(BIN)/python benchmarks/rerank/anytime.py $(if $(SQUAD),--squad "$(SQUAD)")
	$(BIN)/python benchmarks/rerank/concurrency.py $(if $(SQUAD),--squad "$(SQUAD)")

bench-serving: $(VENV)/dev ## Inject faults into 10,000 requests, time what serving adds to one, and load the server
	$(BIN)/python benchmarks/faults/run.py
	$(BIN)/python benchmarks/overhead.py
	$(BIN)/python benchmarks/server/load.py

soak: $(VENV)/dev ## Have all parts fail in turn under load, and count: make soak [MINUTES=20]
	@command -v redis-server > /dev/null || { echo "redis-server is needed (Debian: apt-get install redis-server)"; exit 2; }
	$(BIN)/python benchmarks/soak/soak.py $(if $(MINUTES),--minutes $(MINUTES))

notebooks: $(VENV)/dev ## Run the notebooks and write them with what comes out
	$(BIN)/python examples/notebooks.py

docs: $(VENV)/dev ## Write the commands and settings in docs/ anew
	$(BIN)/python examples/docs.py

lock: ## Write constraints.txt anew from the newest versions that install together
	rm -rf build/lock && $(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet --disable-pip-version-check -e '.[$(EXTRAS)]'
	build/lock/bin/python -m pip freeze --exclude-editable | sed -E 's/\+cpu$$//' > constraints.txt

licences: $(VENV)/dev ## List the licences of all dependencies in docs/licences.md
	$(BIN)/python examples/licences.py docs/licences.md

clean: ## Remove the virtual environment and the embedded database
	rm -rf $(VENV) .rag_app build

$(VENV)/core: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and "Python 3.11 is needed: make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) -e .
	@touch $@

$(VENV)/dev: $(VENV)/core
	$(INSTALL) -e '.[$(EXTRAS)]'
	@touch $@
