#!/bin/sh
# Runs each fuzz target over its corpus for so many seconds. usage: run.sh FOLDER-OF-TARGETS SECONDS
set -eu
here=$(dirname "$0")
for target in "$1"/fuzz_*; do
    case "$target" in *.d) continue ;; esac
    name=$(basename "$target" | sed s/fuzz_//)
    work=$(mktemp -d)
    mkdir -p "$here/corpus/$name"
    echo "== $name: $2 s"
    "$target" -max_total_time="$2" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$work/" "$work" "$here/corpus/$name" >"$work/log" 2>&1 || {
        tail -n 40 "$work/log"
        echo "$name: failed; the input is in $work"
        exit 1
    }
    grep -E 'stat::number_of_executed_units|stat::new_units_added' "$work/log"
    rm -rf "$work"
done
echo "every fuzz target ran clean"
