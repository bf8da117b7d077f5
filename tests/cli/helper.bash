# SPDX-License-Identifier: BSD-2-Clause
# What the command's tests share. SKEP is the command; each test has a directory of its own.

# unable WHY: skips all tests of a file, said in its setup_file(), which cannot skip by itself.
unable() {
	export SKEP_UNABLE=$1
}

setup() {
	[ -z "${SKEP_UNABLE:-}" ] || skip "$SKEP_UNABLE"
	SKEP=${SKEP:-$BATS_TEST_DIRNAME/../../build/skep}
	cd "$BATS_TEST_TMPDIR" || return
	export NO_COLOR=1
}

skep() {
	"$SKEP" "$@"
}

# objects NAME...: compile tests/cli/objects/NAME.bpf.c to NAME.o here.
objects() {
	local name
	for name; do
		clang -O2 -g -target bpf -D__TARGET_ARCH_x86 "-I/usr/include/$(uname -m)-linux-gnu" \
			-c "$BATS_TEST_DIRNAME/objects/$name.bpf.c" -o "$name.o"
	done
}

# A capture of 10 packets: 6 TCP to port 80, 3 UDP to port 53, 1 ARP.
capture() {
	python3 "$BATS_TEST_DIRNAME/make_capture.py" "$1"
}

# json FILTER: one field of every line, as python sees it.
json() {
	python3 -c '
import json, sys
for line in sys.stdin:
    value = json.loads(line)
    for key in sys.argv[1].split("."):
        value = value[int(key) if key.isdigit() else key] if value is not None else None
    print(json.dumps(value) if isinstance(value, (dict, list, bool)) or value is None else value)
' "$1"
}
