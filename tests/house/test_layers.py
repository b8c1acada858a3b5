#!/usr/bin/env python3
"""Who may include whom, and which folder owns which third-party header (docs/decisions.md, "Layers").

Arrows only go down the data path and to core/base. Prints TAP."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

# folder -> folders of the project that it may include besides itself and include/
LAYERS = {
    "core/base": ["plugins/common"],  # the byte buffer, which plugins need as well
    "core/journal": ["core/base"],
    "core/observe": ["core/base", "core/journal", "plugins/common"],
    "core/config": ["core/base", "core/observe", "plugins/loader"],
    "core/event": ["core/base", "plugins/common"],
    "core/pipeline": ["core/base", "core/event", "core/journal", "core/observe", "core/config", "plugins/loader",
                      "plugins/common"],
    "core/http": ["core/base", "core/pipeline", "core/journal", "core/observe", "core/config", "plugins/common"],
    # The way of messages from other processes into ingest: the language and its client; ingest's side is in core/server.
    "core/pull": ["core/base", "core/config", "core/observe", "plugins/loader"],
    "core/delivery": ["core/pull", "core/base", "core/event", "core/journal", "core/observe", "core/config", "plugins/loader",
                      "plugins/common"],
    "core/admin": ["core/base", "core/config", "core/observe", "plugins/common"],
    "core/server": ["core/base", "core/admin", "core/config", "core/delivery", "core/event", "core/http", "core/journal",
                    "core/observe", "core/pipeline", "core/pull", "plugins/loader", "plugins/common"],
    "core/cli": ["plugins/sdk", "core/base", "core/admin", "core/config", "core/delivery", "core/event", "core/http", "core/journal",
                 "core/observe", "core/pipeline", "core/pull", "core/server", "plugins/loader", "plugins/common"],
    "plugins/loader": ["core/base", "core/config", "core/observe"],
    "plugins/common": [],
    # The testkit lends plugins a fake host; it writes lines with the same code as the server.
    "plugins/sdk": ["plugins/common", "core/event", "core/base"],
    "receivers": ["plugins/common"],
    "enrichers": ["plugins/common"],
    "modules": ["plugins/common"],
}

# third-party header -> the folders that own it, and why it is used at all
OWNERS = {
    "microhttpd.h": (["core/http"], "HTTP/1.1 server"),
    "yaml.h": (["core/config", "enrichers/device"], "YAML with positions; the regex files of device-detector"),
    "jansson.h": (["core/config", "core/admin"], "configuration handed to children; never per event"),
    "sqlite3.h": (["core/delivery", "core/admin", "plugins/common", "modules/warehouse"],
                  "state that must be transactional; the warehouse binds each value to a statement of its own, where a wrapper would only cost"),
    "streamsteam": (["plugins/sdk"], "the templates include what is installed"),
    "isa-l": (["core/journal", "core/http", "modules/lake", "modules/compact"], "CRC32C and gzip at memory speed"),
    "isa-l.h": (["core/journal", "core/http", "modules/lake", "modules/compact"], "CRC32C and gzip at memory speed"),
    "libpq-fe.h": (["core/admin", "plugins/common"], "the application store of several nodes is one PostgreSQL"),
    "postgresql": (["plugins/common"], "PostgreSQL's client"),
    "openssl": (["plugins/common"], "SHA-256, HMAC, constant-time comparison, wiping, random numbers"),
    "curl": (["plugins/common"], "HTTP client with several requests in flight"),
    "maxminddb.h": (["enrichers/geoip"], "reader of the location databases"),
    "pcre2.h": (["plugins/common", "receivers/matomo", "enrichers/device"],
                "pattern of JSON Schemas; the expressions of device-detector; exclusions written as /regex/, as Matomo's administrators write them"),
    "librdkafka": (["receivers/kafka", "modules/kafka", "plugins/common", "tests"], "the protocol of Apache Kafka"),
    "zlib.h": (["core/http", "modules/lake", "modules/compact", "modules/redshift", "modules/opensearch", "receivers/matomo", "plugins/common"],
               "where ISA-L is missing; the script of the tracker, once; lines of a lake for those who ask it; what COPY reads and bodies of _bulk, which go over the network anyway"),
}

SYSTEM = re.compile(r"^(sys|linux|net|netinet|arpa|asm|bits)/|^(emmintrin|immintrin|nmmintrin|x86intrin|cpuid|arm_acle)\.h$")
STANDARD = set("""aio assert ctype dirent dlfcn elf errno fcntl fenv float fnmatch getopt glob grp iconv inttypes libgen limits link locale
malloc math netdb poll pthread pwd sched search semaphore setjmp signal spawn stdalign stdarg stdatomic stdbool stddef stdint stdio
stdlib string strings syslog termios time ucontext unistd wchar""".split())
INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]', re.M)


def folder_of(path):
    parts = path.split("/")
    return parts[0] if parts[0] in ("receivers", "enrichers", "modules") else "/".join(parts[:2])


def problems():
    for folder in ("core", "plugins", "receivers", "enrichers", "modules", "include"):
        for source in sorted((ROOT / folder).rglob("*.[ch]")):
            name = source.relative_to(ROOT).as_posix()
            own = folder_of(name)
            for quote, header in INCLUDE.findall(source.read_text()):
                yield from judge(name, own, quote, header)


def judge(name, own, quote, header):
    if header == "streamsteam/plugin.h":
        return
    if own.startswith("include"):
        if not SYSTEM.search(header) and header.removesuffix(".h") not in STANDARD:
            yield f"{name}: the public header may include only the C library, not {header}"
        return
    if quote == '"':
        if "/" not in header:
            yield f'{name}: name {header} from the top of the tree ("folder/{header}")'
            return
        other = folder_of(header)
        same_plugin = own in ("receivers", "enrichers", "modules") and header.split("/")[:2] == name.split("/")[:2]
        if other == own and (own not in ("receivers", "enrichers", "modules") or same_plugin):
            return
        if other not in LAYERS.get(own, []):
            yield f"{name}: {own} may not include {header}"
        return
    if SYSTEM.search(header) or header.removesuffix(".h") in STANDARD:
        return
    key = header.split("/")[0]
    owners = OWNERS.get(key, OWNERS.get(header))
    if owners is None:
        yield f"{name}: {header} is in no row of OWNERS: name its owner and the reason"
    elif not any(name.startswith(o + "/") for o in owners[0]):
        yield f"{name}: {header} belongs to {', '.join(owners[0])}"


def main():
    found = list(problems())
    for text in found:
        print("# " + text)
    print("1..1")
    print(("not ok" if found else "ok") + " 1 - includes follow the layers and the owners of third-party headers")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
