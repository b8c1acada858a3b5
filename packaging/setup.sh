#!/bin/sh
# Installs the Debian packages that a job needs and that are missing, and says which.
# usage: packaging/setup.sh build|test|bench|interop|lint|fuzz ..., or for data, which says where it is: geoip, device
set -eu

[ "${1:-}" != geoip ] || exec "$(dirname "$0")/geoip.sh"

packages_for() {
    case "$1" in
    build) echo "gcc libc6-dev make pkg-config libmicrohttpd-dev libyaml-dev libjansson-dev libsqlite3-dev libisal-dev libpcre2-dev zlib1g-dev libssl-dev libmaxminddb-dev libpq-dev libcurl4-openssl-dev librdkafka-dev curl" ;;
    test) echo "python3 tzdata g++ clang php-cli php-curl nginx-light wrk procps sqlite3 postgresql strace openssl binutils kcat" ;;
    bench) echo "python3 nginx-light wrk procps util-linux valgrind" ;;
    interop) echo "python3 python3-pip nodejs npm php-cli php-curl chromium uap-core maven default-jre-headless kcat" ;;
    device) echo "python3 python3-pip" ;;
    lint) echo "clang clang-format clang-tidy cppcheck python3" ;;
    fuzz) echo "clang libclang-rt-14-dev llvm" ;;
    *) echo "setup.sh: unknown job '$1' (build, test, bench, interop, lint, fuzz, geoip, device)" >&2; exit 2 ;;
    esac
}

installed() {
    # A tool that is there without Debian's package (a newer node, say) is as good.
    case "$1" in
    nodejs) command -v node >/dev/null 2>&1 && return 0 ;;
    maven) command -v mvn >/dev/null 2>&1 && return 0 ;;
    default-jre-headless) command -v java >/dev/null 2>&1 && return 0 ;;
    python3-pip) python3 -m pip --version >/dev/null 2>&1 && return 0 ;;
    npm | curl | python3 | gcc | g++ | make | clang) command -v "$1" >/dev/null 2>&1 && return 0 ;;
    esac
    dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed'
}

finish() {
    case " $jobs " in *" device "*) exec "$(dirname "$0")/device_data.py" ;; esac
    exit 0
}

jobs="$*"
missing=""
for job in "$@"; do
    for package in $(packages_for "$job"); do
        installed "$package" || case " $missing " in *" $package "*) ;; *) missing="$missing $package" ;; esac
    done
done
[ -n "$missing" ] || finish

command -v apt-get >/dev/null 2>&1 || {
    echo "setup: please install these packages (this is not a Debian system):$missing" >&2
    exit 1
}
sudo=""
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null 2>&1 || {
        echo "setup: these packages are missing:$missing" >&2
        echo "setup: as root, run: apt-get install$missing" >&2
        exit 1
    }
    sudo=sudo
fi
echo "setup: installing$missing" >&2

# A package that brings a service (nginx) must not start it: the tests run their own.
policy=/usr/sbin/policy-rc.d
made_policy=""
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
    $sudo chmod 755 "$policy"
    made_policy=1
fi
cleanup() { [ -z "$made_policy" ] || $sudo rm -f "$policy"; }
trap cleanup EXIT

install() {
    # shellcheck disable=SC2086 # a list of words on purpose
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
}
log=$(mktemp)
if ! { $sudo apt-get update -q && install; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    echo "setup: apt-get failed; its last lines are above" >&2
    exit 1
fi
rm -f "$log"
cleanup
made_policy=""
finish
