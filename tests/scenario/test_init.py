#!/usr/bin/env python3
"""streamsteam init: the default configuration, and the files of the systems it takes the place of, key by key.
STREAMSTEAM_GOLDEN=write writes tests/golden/init anew."""
import os
import pathlib
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from tests.lib import http, lake, mmdb, regexes
from tests.lib.server import build_dir
from tests.lib.tap import check, equal, main, test

GOLDEN = ROOT / "tests" / "golden" / "init"

# The template of the newer files, with the two names that its validator wants filled in; values as YAML.
NEWER = {
    "WORKLOAD_NAME": '"game-analytics-pipeline"', "CDK_VERSION": '"2.178.2"', "NODE_VERSION": '"latest"', "PYTHON_VERSION": '"3.8"',
    "DEV_MODE": "true", "INGEST_MODE": '"KINESIS_DATA_STREAMS"', "REAL_TIME_ANALYTICS": "true", "DATA_STACK": '"DATA_LAKE"',
    "ENABLE_APACHE_ICEBERG_SUPPORT": "false", "STREAM_PROVISIONED": "false", "STREAM_SHARD_COUNT": "1", "RAW_EVENTS_PREFIX": '"raw_events"',
    "PROCESSED_EVENTS_PREFIX": '"processed_events"', "EVENTS_DATABASE": '"game_analytics"', "RAW_EVENTS_TABLE": '"raw_events"',
    "GLUE_TMP_PREFIX": '"glueetl-tmp"', "S3_BACKUP_MODE": "false", "CLOUDWATCH_RETENTION_DAYS": "30", "API_STAGE_NAME": '"live"',
    "EMAIL_ADDRESS": '"ops@example.org"',
}
OLDER = {key: value for key, value in NEWER.items() if key != "REAL_TIME_ANALYTICS"} | {"INGEST_MODE": '"REAL_TIME_KDS"'}
LONG = "a" * 129

# base, what is changed (None: left out), fate, key, words of the line, words of the configuration
ROWS = [
    (NEWER, {}, "mapped", "WORKLOAD_NAME", "var/game-analytics-pipeline", "data_dir: ${env:STREAMSTEAM_DATA:-var/game-analytics-pipeline}"),
    (NEWER, {"WORKLOAD_NAME": "1game"}, "refused", "WORKLOAD_NAME", "^[a-zA-Z][-a-zA-Z0-9]{0,127}$", None),
    (NEWER, {"WORKLOAD_NAME": "my_game"}, "refused", "WORKLOAD_NAME", "must match", None),
    (NEWER, {"WORKLOAD_NAME": LONG}, "refused", "WORKLOAD_NAME", "must match", None),
    (NEWER, {"WORKLOAD_NAME": LONG[1:]}, "mapped", "WORKLOAD_NAME", LONG[1:], LONG[1:]),
    (NEWER, {"WORKLOAD_NAME": None}, "refused", "WORKLOAD_NAME", "is missing", None),
    (NEWER, {"WORKLOAD_NAME": "[a]"}, "refused", "WORKLOAD_NAME", "must be one value", None),
    (NEWER, {}, "mapped", "INGEST_MODE", "parts/kinesis.yaml", "journal: {retain: 24h}"),
    (NEWER, {"INGEST_MODE": "DIRECT_BATCH", "REAL_TIME_ANALYTICS": "false"}, "mapped", "INGEST_MODE", "the journal, from which", "firehose glue."),
    (NEWER, {"INGEST_MODE": "KINESIS"}, "refused", "INGEST_MODE", "there are KINESIS_DATA_STREAMS and DIRECT_BATCH", None),
    (NEWER, {"INGEST_MODE": "REAL_TIME_MSK"}, "refused", "INGEST_MODE", "take that key out", None),
    (NEWER, {"INGEST_MODE": None}, "refused", "INGEST_MODE", "is missing", None),
    (OLDER, {}, "mapped", "INGEST_MODE", "parts/kinesis.yaml", "kinesis windows opensearch."),
    (OLDER, {"INGEST_MODE": "REAL_TIME_MSK"}, "mapped", "INGEST_MODE", "parts/msk.yaml", "msk windows opensearch."),
    (OLDER, {"INGEST_MODE": "DIRECT_BATCH"}, "mapped", "INGEST_MODE", "the journal, from which", "firehose glue."),
    (OLDER, {"INGEST_MODE": "KINESIS_DATA_STREAMS"}, "refused", "INGEST_MODE", "add that key", None),
    (OLDER, {"INGEST_MODE": "direct_batch"}, "refused", "INGEST_MODE", "DIRECT_BATCH, REAL_TIME_KDS and REAL_TIME_MSK", None),
    (NEWER, {}, "warned", "REAL_TIME_ANALYTICS", "parts/windows.yaml", "windows opensearch"),
    (NEWER, {"REAL_TIME_ANALYTICS": "false"}, "mapped", "REAL_TIME_ANALYTICS", "nothing to add", "firehose glue kinesis."),
    (NEWER, {"INGEST_MODE": "DIRECT_BATCH"}, "refused", "REAL_TIME_ANALYTICS", "needs INGEST_MODE: KINESIS_DATA_STREAMS", None),
    (NEWER, {"REAL_TIME_ANALYTICS": '"true"'}, "refused", "REAL_TIME_ANALYTICS", "without quotes", None),
    (NEWER, {"REAL_TIME_ANALYTICS": "yes"}, "refused", "REAL_TIME_ANALYTICS", "must be true or false", None),
    (NEWER, {}, "mapped", "DATA_STACK", "modules.lake", "  lake:\n"),
    (NEWER, {}, "mapped", "DATA_STACK", "modules.warehouse", "  mode: data-lake\n"),
    (NEWER, {"DATA_STACK": "REDSHIFT"}, "mapped", "DATA_STACK", "the same views", "  mode: redshift\n"),
    (NEWER, {"DATA_STACK": "REDSHIFT"}, "mapped", "DATA_STACK", "parts/redshift.yaml", "In place of Redshift"),
    (NEWER, {"DATA_STACK": "LAKE"}, "refused", "DATA_STACK", "there are DATA_LAKE and REDSHIFT", None),
    (NEWER, {"DATA_STACK": None}, "refused", "DATA_STACK", "is missing", None),
    (NEWER, {"DATA_STACK": "REDSHIFT", "INGEST_MODE": "DIRECT_BATCH", "REAL_TIME_ANALYTICS": "false"}, "refused", "DATA_STACK",
     "REDSHIFT needs INGEST_MODE: KINESIS_DATA_STREAMS", None),
    (OLDER, {"DATA_STACK": "REDSHIFT", "INGEST_MODE": "DIRECT_BATCH"}, "mapped", "DATA_STACK", "modules.warehouse", "In place of Redshift"),
    (NEWER, {}, "mapped", "ENABLE_APACHE_ICEBERG_SUPPORT", "nothing to do", ""),
    (NEWER, {"ENABLE_APACHE_ICEBERG_SUPPORT": "true"}, "refused", "ENABLE_APACHE_ICEBERG_SUPPORT", "no Iceberg tables here", None),
    (NEWER, {"ENABLE_APACHE_ICEBERG_SUPPORT": "true", "DATA_STACK": "REDSHIFT"}, "refused", "ENABLE_APACHE_ICEBERG_SUPPORT",
     "not with DATA_STACK: REDSHIFT", None),
    (NEWER, {}, "warned", "EVENTS_DATABASE", "parts/glue.yaml", ""),
    (NEWER, {"EVENTS_DATABASE": '""'}, "refused", "EVENTS_DATABASE", "^[a-zA-Z0-9][a-zA-Z0-9_]{0,254}$", None),
    (NEWER, {"EVENTS_DATABASE": "game-analytics"}, "refused", "EVENTS_DATABASE", "must match", None),
    (NEWER, {"EVENTS_DATABASE": None}, "refused", "EVENTS_DATABASE", "is missing", None),
    (NEWER, {"RAW_EVENTS_TABLE": "Raw_1"}, "mapped", "RAW_EVENTS_TABLE", "{game: Raw_1}", 'tables: {game: "Raw_1"}'),
    (NEWER, {"RAW_EVENTS_TABLE": "SS_raw"}, "warned", "RAW_EVENTS_TABLE", "called game there", 'tables: {game: "game"}'),
    (NEWER, {"RAW_EVENTS_TABLE": "total_events"}, "warned", "RAW_EVENTS_TABLE", "called game there", 'tables: {game: "game"}'),
    (NEWER, {"RAW_EVENTS_TABLE": "a" * 64}, "warned", "RAW_EVENTS_TABLE", "called game there", 'tables: {game: "game"}'),
    (NEWER, {"DATA_STACK": "REDSHIFT"}, "warned", "RAW_EVENTS_TABLE", "event_data", 'tables: {game: "event_data"}'),
    (NEWER, {"RAW_EVENTS_TABLE": "_raw"}, "refused", "RAW_EVENTS_TABLE", "must match", None),
    (NEWER, {"RAW_EVENTS_TABLE": "a" * 256}, "refused", "RAW_EVENTS_TABLE", "must match", None),
    (NEWER, {"RAW_EVENTS_PREFIX": "games/raw/"}, "mapped", "RAW_EVENTS_PREFIX", "games/raw/year=%Y", 'partition: "games/raw/year=%Y/month=%m/day=%d/"'),
    (NEWER, {"RAW_EVENTS_PREFIX": "../raw"}, "refused", "RAW_EVENTS_PREFIX", "relative path", None),
    (NEWER, {"RAW_EVENTS_PREFIX": '"a%Yb"'}, "refused", "RAW_EVENTS_PREFIX", "relative path", None),
    (NEWER, {"RAW_EVENTS_PREFIX": '"${env:X}"'}, "refused", "RAW_EVENTS_PREFIX", "relative path", None),
    (NEWER, {"DATA_STACK": "REDSHIFT"}, "warned", "RAW_EVENTS_PREFIX", "keeps no raw events in files", ""),
    (NEWER, {}, "warned", "PROCESSED_EVENTS_PREFIX", "Glue job", ""),
    (NEWER, {}, "warned", "GLUE_TMP_PREFIX", "no Glue job", ""),
    (NEWER, {}, "warned", "STREAM_PROVISIONED", "no capacity to order", ""),
    (NEWER, {"STREAM_PROVISIONED": "1"}, "refused", "STREAM_PROVISIONED", "must be true or false", None),
    (NEWER, {}, "warned", "STREAM_SHARD_COUNT", "has no shards", ""),
    (NEWER, {"STREAM_SHARD_COUNT": "0"}, "refused", "STREAM_SHARD_COUNT", "above zero", None),
    (NEWER, {"STREAM_SHARD_COUNT": "one"}, "refused", "STREAM_SHARD_COUNT", "above zero", None),
    (NEWER, {"API_STAGE_NAME": "beta-2"}, "mapped", "API_STAGE_NAME", "server.applications.api.stage: beta-2", 'applications: {api: {stage: "beta-2"}}'),
    (NEWER, {"API_STAGE_NAME": None}, None, "API_STAGE_NAME", "", 'stage: "live"'),
    (NEWER, {"API_STAGE_NAME": "a/b"}, "refused", "API_STAGE_NAME", "letters, digits", None),
    (NEWER, {}, "mapped", "DEV_MODE", "roll.age: 60s", "age: 60s"),
    (NEWER, {"DEV_MODE": "false"}, "mapped", "DEV_MODE", "roll.age: 900s", "age: 900s"),
    (NEWER, {"DEV_MODE": None}, None, "DEV_MODE", "", "age: 900s"),
    (NEWER, {"S3_BACKUP_MODE": "true"}, "mapped", "S3_BACKUP_MODE", "modules.backup", "  backup:\n    use: lake\n"),
    (NEWER, {"S3_BACKUP_MODE": "true", "DATA_STACK": "REDSHIFT"}, "warned", "S3_BACKUP_MODE", "had no such backup", "  backup:\n"),
    (NEWER, {}, "warned", "EMAIL_ADDRESS", "let your monitoring send the mail", ""),
    (NEWER, {"EMAIL_ADDRESS": '""'}, "mapped", "EMAIL_ADDRESS", "nothing to do", ""),
    (NEWER, {}, "warned", "CLOUDWATCH_RETENTION_DAYS", "journald", ""),
    (NEWER, {"CLOUDWATCH_RETENTION_DAYS": "-1"}, "refused", "CLOUDWATCH_RETENTION_DAYS", "above zero", None),
    (NEWER, {}, "warned", "CDK_VERSION", "nothing to deploy", ""),
    (NEWER, {}, "warned", "NODE_VERSION", "nothing to deploy", ""),
    (NEWER, {}, "warned", "PYTHON_VERSION", "nothing to deploy", ""),
    (NEWER, {"DATA_STAK": "REDSHIFT"}, "refused", "DATA_STAK", "did you mean 'DATA_STACK'?", None),
    (NEWER, {"COLOUR": "red"}, "refused", "COLOUR", "an unknown key", None),
    (OLDER, {"ENABLE_STREAMING_ANALYTICS": "true"}, "refused", "ENABLE_STREAMING_ANALYTICS", "write INGEST_MODE", None),
    (OLDER, {"STREAMING_MODE": "BATCH_FIREHOSE"}, "refused", "STREAMING_MODE", "write INGEST_MODE", None),
    (OLDER, {"ENABLE_REDSHIFT": "true"}, "refused", "ENABLE_REDSHIFT", "write DATA_STACK", None),
    (OLDER, {"METRIC_STREAM_SHARD_COUNT": "1"}, "warned", "METRIC_STREAM_SHARD_COUNT", "without part here", ""),
    (OLDER, {"CONNECTION_ARN": '""'}, "warned", "CONNECTION_ARN", "without part here", ""),
]

DEV = {"aws_access_key_id": "AKIDEXAMPLE0000", "aws_secret_access_key": "wJalrEXAMPLE/KEY", "aws_region_name": "eu-west-1",
       "ip_address_masking_enabled": "true", "ip_geocoding_enabled": "true", "ip_info_api_token": "ipinfo-token-1",
       "device_detection_enabled": "true", "userstack_api_token": "userstack-token-2", "modules_enabled": "redash,emr-spark-cluster"}
SECRETS = ("AKIDEXAMPLE0000", "wJalrEXAMPLE", "ipinfo-token-1", "userstack-token-2")

DEV_ROWS = [
    ({}, "warned", "aws_access_key_id", "${env:AWS_ACCESS_KEY_ID}", "access_key_id: ${env:AWS_ACCESS_KEY_ID}"),
    ({}, "warned", "aws_secret_access_key", "${env:AWS_SECRET_ACCESS_KEY}", "secret_access_key: ${env:AWS_SECRET_ACCESS_KEY}"),
    ({"aws_secret_access_key": ""}, "warned", "aws_secret_access_key", "it is empty", ""),
    ({}, "warned", "aws_region_name", "delivery stream", "region: eu-west-1"),
    ({"aws_region_name": None}, None, "aws_region_name", "", "region: eu-central-1"),
    ({"aws_region_name": "eu west"}, "refused", "aws_region_name", "eu-central-1", None),
    ({}, "mapped", "ip_address_masking_enabled", "before the lookups", "privacy: {ip_mask: 1, masked_lookups: true}"),
    ({"ip_geocoding_enabled": "false"}, "mapped", "ip_address_masking_enabled", "IPv4 /24", "privacy: {ip_mask: 1}"),
    ({"ip_address_masking_enabled": "False"}, "mapped", "ip_address_masking_enabled", "kept whole", "enrich: [device, geoip]"),
    ({"ip_address_masking_enabled": "1"}, "refused", "ip_address_masking_enabled", "true or false", None),
    ({}, "mapped", "ip_geocoding_enabled", "local database", "database: ${env:STREAMSTEAM_GEOIP:-"),
    ({"ip_geocoding_enabled": "false"}, "mapped", "ip_geocoding_enabled", "no enrichers.geoip", "enrich: [device, privacy]"),
    ({}, "warned", "ip_info_api_token", "nobody outside is asked", ""),
    ({}, "mapped", "device_detection_enabled", "setup.sh device", "device: {}"),
    ({"device_detection_enabled": "false"}, "mapped", "device_detection_enabled", "no enrichers.device", "enrich: [privacy, geoip]"),
    ({}, "warned", "userstack_api_token", "nobody outside is asked", ""),
    ({}, "warned", "modules_enabled", "redash: point Redash", "# redash:"),
    ({"modules_enabled": " emr-spark-cluster "}, "warned", "modules_enabled", "emr-spark-cluster: the lake", "# emr-spark-cluster:"),
    ({"modules_enabled": "own-thing"}, "warned", "modules_enabled", "own-thing: a module of your own", ""),
    ({"modules_enabled": ""}, "mapped", "modules_enabled", "none", ""),
    ({"MODULES_ENABLED": "redash", "modules_enabled": None}, "warned", "modules_enabled", "redash", ""),  # their parser lowers keys
    ({"aws_region_nam": "x"}, "refused", "aws_region_nam", "did you mean 'aws_region_name'?", None),
    ({"colour": "red"}, "refused", "colour", "an unknown key", None),
]


def text_of(base, changes):
    """The lines, and each key's number."""
    values = base | changes
    kept = [(key, value) for key, value in values.items() if value is not None]
    return "".join(f"{key}: {value}\n" for key, value in kept), {key: number for number, (key, _) in enumerate(kept, 1)}


def init(t, option, text, *more):
    """The answer of init; output, if any, in t.tmp/out.yaml."""
    name = "config.yaml" if option == "--from-guidance" else "stream-steam.cfg"
    (t.tmp / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    server = getattr(t, "init_server", None) or t.server(start=False)
    t.init_server = server
    return server.verb("init", option, t.tmp / name, *more, config=False)


def lines_of(said, fate, key):
    return [line for line in said.stderr.splitlines() if f": {fate} {key}: " in line]


@test("without a source: the default configuration, with its comments; a file is never overwritten")
def _(t):
    server = t.server(start=False)
    default = (ROOT / "config" / "streamsteam.yaml").read_text()
    equal(server.verb("init", config=False, check=True).stdout, default)
    out = t.tmp / "new.yaml"
    server.verb("init", "--output", out, config=False, check=True)
    equal(out.read_text(), default)
    said = server.verb("init", "-o", out, config=False)
    check(said.returncode == 1 and "name another file" in said.stderr, said.stderr)
    equal(out.read_text(), default)
    equal(server.verb("init", "-o", t.tmp / "no" / "such" / "x.yaml", config=False).returncode, 1)


@test("wrong use is told")
def _(t):
    server = t.server(start=False)
    for words in (("x",), ("--from-guidance",), ("--from-guidance", "a", "--from-streamsteam", "b")):
        equal(server.verb("init", *words, config=False).returncode, 2, words)
    said = server.verb("init", "--from-guidance", t.tmp / "nothing", config=False)
    check(said.returncode == 1 and "No such file" in said.stderr, said.stderr)


@test("the guidance's file, key by key: mapped, warned about or refused by name")
def _(t):
    for base, changes, fate, key, words, output in ROWS:
        text, numbers = text_of(base, changes)
        said = init(t, "--from-guidance", text)
        where = f"{changes}: {said.stderr}"
        if fate:
            lines = lines_of(said, fate, key)
            check(any(words in line for line in lines), where)
            if key in numbers:
                check(f"config.yaml:{numbers[key]}: " in lines[0], where)
        else:
            check(f" {key}: " not in said.stderr, where)
        equal(said.returncode, 1 if output is None else 0, where)
        if output is None:
            equal(said.stdout, "", where)
            check("nothing was written" in said.stderr, where)
        else:
            check(output in said.stdout, f"{where}\n{said.stdout}")


@test("every key of the newer file gets a line; the mail address is not printed")
def _(t):
    said = init(t, "--from-guidance", text_of(NEWER, {})[0])
    for key in NEWER:
        equal(len([line for line in said.stderr.splitlines() if f" {key}: " in line.split(": ", 1)[1][:60] + ": "]), 1, key)
    check("ops@example.org" not in said.stdout + said.stderr, said.stderr)


@test("all that is refused is told at once, and nothing is written")
def _(t):
    text, _ = text_of(NEWER, {"WORKLOAD_NAME": "1", "DATA_STACK": "X", "EVENTS_DATABASE": "x-y", "DEV_MODE": "maybe", "NEW": "1"})
    said = init(t, "--from-guidance", text, "-o", t.tmp / "out.yaml")
    equal(len([line for line in said.stderr.splitlines() if ": refused " in line]), 5, said.stderr)
    check(not (t.tmp / "out.yaml").exists(), "it was written")


@test("what is no configuration of the guidance is refused")
def _(t):
    for text in ("", "- a\n", "a: [\n", "WORKLOAD_NAME: a\nWORKLOAD_NAME: b\n", "\0", "&a [*a]", "x" * 2000000):
        said = init(t, "--from-guidance", text)
        check(said.returncode == 1 and said.stdout == "", f"{text[:40]!r}: {said.stderr}")


@test("stream-steam.cfg, key by key")
def _(t):
    for changes, fate, key, words, output in DEV_ROWS:
        kept = [(name, value) for name, value in (DEV | changes).items() if value is not None]
        text = "# made by stream-steam\n[dev]\n" + "".join(f"{name} = {value}\n" for name, value in kept)
        said = init(t, "--from-streamsteam", text)
        where = f"{changes}: {said.stderr}"
        if fate:
            check(any(words in line for line in lines_of(said, fate, key)), where)
        else:
            check(f" {key}: " not in said.stderr, where)
        equal(said.returncode, 1 if output is None else 0, where)
        check(said.stdout == "" if output is None else output in said.stdout, f"{where}\n{said.stdout}")
        for secret in SECRETS:
            check(secret not in said.stdout + said.stderr, f"{secret} is printed: {where}")


@test("INI as their parser reads it: sections, comments, colons; what it is not is refused")
def _(t):
    good = "; c\n\n[dev]\nAWS_Region_Name: eu-west-1\r\n[prod]\naws_region_name = us-east-1\nwhatever\n"
    said = init(t, "--from-streamsteam", good)
    check(said.returncode == 0 and "region: eu-west-1" in said.stdout, said.stderr)
    check("[prod] is left out" in said.stderr, said.stderr)
    for bad, words in (("", "no section [dev]"), ("a = b\n", "before any section"), ("[dev\n", "without ']'"), ("[prod]\na = b\n", "no section [dev]"),
                       ("[dev]\nnothing\n", "KEY = VALUE"), ("[dev]\naws_region_name = a\n  b\n", "goes on in another line"),
                       ("[dev]\naws_region_name = a\naws_region_name = b\n", "line 2 already"), ("[dev]\n[dev]\n", "twice"),
                       ("[DEFAULT]\na = b\n[dev]\n", "[DEFAULT]")):
        said = init(t, "--from-streamsteam", bad)
        check(said.returncode == 1 and words in said.stderr and said.stdout == "", f"{bad!r}: {said.stderr}")


CASES = {
    "lake-kinesis": ("--from-guidance", text_of(NEWER, {})[0]),
    "lake-backup": ("--from-guidance", text_of(NEWER, {"INGEST_MODE": "DIRECT_BATCH", "REAL_TIME_ANALYTICS": "false", "DEV_MODE": "false", "S3_BACKUP_MODE": "true"})[0]),
    "redshift-kinesis": ("--from-guidance", text_of(NEWER, {"DATA_STACK": "REDSHIFT"})[0]),
    "older-redshift-batch": ("--from-guidance", text_of(OLDER, {"DATA_STACK": "REDSHIFT", "INGEST_MODE": "DIRECT_BATCH"})[0]),
    "older-lake-msk": ("--from-guidance", text_of(OLDER, {"INGEST_MODE": "REAL_TIME_MSK"})[0]),
    "streamsteam": ("--from-streamsteam", "[dev]\n" + "".join(f"{key} = {value}\n" for key, value in DEV.items())),
    "streamsteam-plain": ("--from-streamsteam", "[dev]\naws_region_name = eu-central-1\nip_address_masking_enabled = false\nmodules_enabled =\n"),
}


def environment(t):
    geo = t.tmp / "geo.mmdb"
    geo.write_bytes(mmdb.build({"81.2.69.0/24": {"country": {"iso_code": "GB"}}}))
    return {"STREAMSTEAM_GEOIP": str(geo), "STREAMSTEAM_LISTEN": "127.0.0.1:0", "STREAMSTEAM_ADMIN": "127.0.0.1:0",
            "STREAMSTEAM_DATA": str(t.tmp / "server" / "data")}


for case, (case_option, case_text) in CASES.items():
    @test(f"{case}: the whole answer is the golden one")
    def _(t, case=case, option=case_option, text=case_text):
        said = init(t, option, text)
        equal(said.returncode, 0, said.stderr)
        for name, got in ((f"{case}.yaml", said.stdout), (f"{case}.txt", said.stderr.replace(f"{t.tmp}/", ""))):
            if os.environ.get("STREAMSTEAM_GOLDEN") == "write":
                (GOLDEN / name).write_text(got)
            equal(got, (GOLDEN / name).read_text(), name)

    @test(f"{case}: the result passes `streamsteam check`")
    def _(t, case=case):
        yaml = (GOLDEN / f"{case}.yaml").read_text()
        for plugin in ("receiver-game", "module-warehouse"):
            if f"  {plugin.split('-')[1]}:" in yaml and not (build_dir() / "plugins" / f"{plugin}.so").exists():
                t.skip(f"the plugin {plugin} is not built")
        env = environment(t)
        if "  device: {}" in yaml:
            yaml = yaml.replace("  device: {}", f"  device: {{regexes: {regexes.regexes(t)}}}")
        server = t.server(yaml=yaml, env=env, start=False)
        server.verb("check", check=True)


@test("a tracker of StreamSteam on AWS goes on under its paths; files lie where its bucket had them")
def _(t):
    yaml = (GOLDEN / "streamsteam-plain.yaml").read_text()
    server = t.server(yaml=yaml, env=environment(t))
    old = int(time.time()) - 20 * 3600
    for path in ("/v1/matomo.php", "/v1/matomo-event-receiver", "/v1/matomo-event-receiver/", "/matomo.php"):
        equal(server.get(http.hit("a", path, cdt=old)).status // 100, 2, path)
    server.stop()
    folders = {path.parent.relative_to(server.lake).as_posix() for path in lake.objects(server.lake)}
    check(folders <= {time.strftime("events/enriched/%Y/%m/%d/%H", time.gmtime(time.time() - back)) for back in (0, 3600)}, folders)
    equal(len(lake.lines(server.lake)), 4)


if __name__ == "__main__":
    sys.exit(main())
