#!/usr/bin/env bash
# Records call stacks of a running process and the kernel below it: the text report, and a flame graph where inferno is there.
#
#   record.sh PID SECONDS FOLDER
#
# Samples by cycles; by the processor clock, which sees no code that runs with interrupts off, where a virtual machine has no
# hardware counters. Kernel stacks take root, or kernel.perf_event_paranoid at 1 or less.
set -euo pipefail

usage() {
	printf 'usage: record.sh PID SECONDS FOLDER\n' >&2
	exit 2
}

(($# == 3)) || usage
[[ $1 =~ ^[0-9]+$ && $2 =~ ^[1-9][0-9]*$ ]] || usage
pid=$1 seconds=$2 folder=$3

command -v perf >/dev/null || {
	printf 'record.sh: perf is not there. Install with: apt-get install -y linux-perf\n' >&2
	exit 1
}
[[ -d /proc/$pid ]] || {
	printf 'record.sh: no process %s\n' "$pid" >&2
	exit 1
}
mkdir -p "$folder"

# An event that is not supported is either refused or counts nothing.
event=cpu-clock
if perf stat -e cycles -- true 2>&1 | grep -q '[0-9] *cycles'; then
	event=cycles
fi
printf 'sampling by %s, 999 times a second and processor, for %s s\n' "$event" "$seconds"
# Rust's release profile here keeps DWARF but no frame pointers.
perf record --quiet --event "$event" --freq 999 --call-graph dwarf,16384 --pid "$pid" --output "$folder/perf.data" -- sleep "$seconds"

# What was lost comes before every number: it is missing in all of them.
perf report --input "$folder/perf.data" --stdio --no-children --percent-limit 0.5 --call-graph none \
	>"$folder/report.txt" 2>/dev/null
grep -m1 'Total Lost Samples' "$folder/report.txt" || printf 'lost samples: not known\n'
printf '%s\n' "$folder/report.txt: time by function, the deepest function of each stack"
grep -v '^#' "$folder/report.txt" | grep -m 15 '%' || printf 'no sample: the process did nothing\n'

if command -v inferno-collapse-perf >/dev/null && command -v inferno-flamegraph >/dev/null; then
	perf script --input "$folder/perf.data" 2>/dev/null | inferno-collapse-perf >"$folder/stacks.txt"
	inferno-flamegraph <"$folder/stacks.txt" >"$folder/flame.svg"
	printf '%s\n' "$folder/flame.svg: the same by stack"
else
	printf 'no flame graph: inferno is not there. Install with: cargo install inferno\n'
fi
