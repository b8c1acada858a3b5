#!/bin/sh
# `make run` and `make dev` of a plugin's folder: a server of its own with the plugin, on the loopback, its data in var/;
# sends the sample and shows where it landed. dev: builds again and restarts the server whenever a source is saved; what
# does not compile leaves the old server running. Called by plugin.mk, which sets the variables.
set -eu

WAIT_TENTHS=300           # for the server to start and to stop, and for the sample to land: 30 s
POLL_S=0.5                # how often dev looks at the sources
DEV_POLLS=${DEV_POLLS:-115200} # 16 hours: a forgotten `make dev` ends
mode=$1
log=var/log
server=""

say() { printf '%s\n' "$*"; }
alive() { [ -n "$server" ] && kill -0 "$server" 2>/dev/null; }

stop() {
    [ -n "$server" ] || return 0
    kill -TERM "$server" 2>/dev/null || true
    n=0
    while alive && [ $n -lt $WAIT_TENTHS ]; do
        sleep 0.1
        n=$((n + 1))
    done
    ! alive || kill -KILL "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
    server=""
}
trap stop EXIT
trap 'say; say "stopping"; exit 0' INT TERM

start() {
    mkdir -p var
    if "$STREAMSTEAM" status -c "$CONFIG" >/dev/null 2>&1; then
        say "a server with $CONFIG runs already: stop it first (its make run or make dev, with Ctrl-C)"
        return 1
    fi
    "$STREAMSTEAM" serve -c "$CONFIG" </dev/null >"$log" 2>&1 &
    server=$!
    n=0
    until "$STREAMSTEAM" status -c "$CONFIG" >/dev/null 2>&1; do
        if ! alive || [ $n -ge $WAIT_TENTHS ]; then
            say "the server did not start; the end of $log:"
            tail -n 20 "$log"
            return 1
        fi
        sleep 0.1
        n=$((n + 1))
    done
}

objects() { find var/lake -name '*.ndjson.gz' 2>/dev/null | sort; }
addresses() { "$STREAMSTEAM" status -c "$CONFIG" | sed -n 's/^public *//p'; }

# The sample goes in; the lake's newest object, and what the module wrote, come out.
show() {
    before=$(objects)
    say "the server listens on $(addresses); its log is $log"
    say "sending $SAMPLE to $SAMPLE_PATH:"
    "$STREAMSTEAM" send "$SAMPLE" --path "$SAMPLE_PATH" -c "$CONFIG" || return 1
    n=0
    while [ "$(objects)" = "$before" ]; do
        if [ $n -ge $WAIT_TENTHS ]; then
            say "nothing came into the lake; the journal's newest event, and the end of $log:"
            "$STREAMSTEAM" tail -n 1 -c "$CONFIG" || true
            tail -n 20 "$log"
            return 1
        fi
        sleep 0.1
        n=$((n + 1))
    done
    newest=$(objects | tail -n 1)
    say "it landed in $newest:"
    gzip -dc "$newest" | tail -n 1
    if [ -f "var/$NAME.out" ]; then
        say "and the module wrote to var/$NAME.out:"
        tail -n 1 "var/$NAME.out"
    fi
}

changed() { find . -path ./var -prune -o -path ./build -prune -o -type f \( -name '*.[ch]' -o -name '*.cpp' -o -name '*.yaml' \) \
    -newer var/.seen -print; }

# The mark is set before building: what is saved while the compiler runs counts as changed afterwards.
watch() {
    polls=0
    touch var/.seen
    say "watching the sources; Ctrl-C stops"
    while [ $polls -lt "$DEV_POLLS" ]; do
        sleep $POLL_S
        polls=$((polls + 1))
        files=$(changed)
        [ -n "$files" ] || continue
        touch var/.seen
        say "changed: $(echo "$files" | tr '\n' ' ')"
        if ! "$MAKE" --no-print-directory all; then
            say "it does not build; the server goes on with what it has"
            continue
        fi
        stop
        start && show || say "save again to try again"
    done
}

start
show
if [ "$mode" = dev ]; then
    watch
elif [ -z "$ONCE" ]; then
    say "the server goes on; Ctrl-C stops it"
    wait "$server" || true
fi
