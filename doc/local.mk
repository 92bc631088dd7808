dist_man_MANS += doc/mochila.1 doc/mochila.yaml.5
dist_doc_DATA = README NEWS doc/architecture.md doc/merge-table.md \
	doc/performance.json doc/performance.md doc/performance.svg \
	doc/reliability.md doc/servers.md examples/config.yaml
EXTRA_DIST += examples/quickstart.sh examples/demo-server.py COPYING \
	.clang-format .ci/run tests/bench/accounts.py \
	tests/bench/bench.py tests/bench/check.py tests/bench/deeds.py tests/bench/floor.py \
	tests/bench/line.py tests/bench/peers.py tests/bench/plot.py \
	tests/bench/report.py tests/bench/run.sh tests/bench/speed.py \
	tests/bench/test_bench.py tests/bench/works.py
