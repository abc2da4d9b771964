#!/usr/bin/env bash
# Says what a running sink costs a datagram: processor time of the whole process, and counters where there are any.
#
#   stat.sh PID SECONDS METRICS_ADDRESS        METRICS_ADDRESS: what `skua sink --metrics` was given, 127.0.0.1:9100 say
set -euo pipefail

usage() {
	printf 'usage: stat.sh PID SECONDS METRICS_ADDRESS\n' >&2
	exit 2
}

(($# == 3)) || usage
[[ $1 =~ ^[0-9]+$ && $2 =~ ^[1-9][0-9]*$ ]] || usage
pid=$1 seconds=$2 address=$3

command -v curl >/dev/null || {
	printf 'stat.sh: curl is not there. Install with: apt-get install -y curl\n' >&2
	exit 1
}
[[ -d /proc/$pid ]] || {
	printf 'stat.sh: no process %s\n' "$pid" >&2
	exit 1
}

# Nanoseconds on a processor, of all threads: schedstat counts them, unlike stat, which counts ticks. Threads that end in
# between are not seen.
on_processor() {
	local file total=0 ran
	for file in /proc/"$pid"/task/*/schedstat; do
		read -r ran _ <"$file" || continue
		total=$((total + ran))
	done
	printf '%s' "$total"
}

# The sum of a counter over its labels.
counted() {
	curl --silent --show-error --fail "http://$address/metrics" |
		awk -v name="$1" '{ key = $1; sub(/\{.*/, "", key) } key == name { sum += $NF } END { printf "%.0f", sum }'
}

cpu=$(on_processor)
datagrams=$(counted skua_datagrams_indicated_total)
lost=$(counted skua_datagrams_lost_below_total)
if command -v perf >/dev/null; then
	perf stat --event task-clock,context-switches,cpu-migrations,page-faults,cycles,instructions,cache-misses \
		--pid "$pid" -- sleep "$seconds" 2>&1 | grep -v '^$' || true
else
	printf 'no counters: perf is not there. Install with: apt-get install -y linux-perf\n'
	sleep "$seconds"
fi
cpu=$(($(on_processor) - cpu))
datagrams=$(($(counted skua_datagrams_indicated_total) - datagrams))
lost=$(($(counted skua_datagrams_lost_below_total) - lost))

printf 'lost below the sink: %d\n' "$lost"
printf 'datagrams: %d, %d a second\n' "$datagrams" $((datagrams / seconds))
printf 'on a processor: %d.%03d ms a second\n' $((cpu / seconds / 1000000)) $((cpu / seconds / 1000 % 1000))
if ((datagrams > 0)); then
	printf 'each datagram: %d ns\n' $((cpu / datagrams))
fi
