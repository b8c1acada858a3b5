/* The configuration: what is read, what is refused and in which words, what the processes get.
   Plugins: the samples of tests/contract, under the names that a server would find them by. */
#include "core/config/config.h"

#include <libgen.h>
#include <limits.h>
#include <sys/stat.h>

#include "core/config/node.h"
#include "core/config/plan.h"
#include "core/config/suggest.h"
#include "core/config/value.h"
#include "tests/unit/check.h"

/* ---- a directory with plugins/ and the files under test ---- */

static char dir[64];

static void link_plugin(const char *sample, const char *name)
{
    char exe[PATH_MAX] = "", from[PATH_MAX], to[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (n > 0)
        exe[n] = '\0';
    (void)snprintf(from, sizeof from, "%.3000s/contract/plugin_%s.so", dirname(exe), sample);
    (void)snprintf(to, sizeof to, "%s/plugins/%s.so", dir, name);
    CHECK(access(from, R_OK) == 0);
    CHECK(symlink(from, to) == 0);
}

static void put(const char *name, const char *text)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    CHECK(f != NULL);
    if (!f)
        return;
    (void)fputs(text, f);
    (void)fclose(f);
}

static void set_up(void)
{
    char sub[128];
    (void)snprintf(dir, sizeof dir, "/tmp/streamsteam-config-XXXXXX");
    CHECK(mkdtemp(dir) != NULL);
    (void)snprintf(sub, sizeof sub, "%s/plugins", dir);
    CHECK(mkdir(sub, 0700) == 0);
    (void)snprintf(sub, sizeof sub, "%s/conf.d", dir);
    CHECK(mkdir(sub, 0700) == 0);
    link_plugin("receiver", "receiver-note");
    link_plugin("enricher", "enricher-paint");
    link_plugin("module", "module-append");
    link_plugin("options", "module-options");
    link_plugin("own_fields", "receiver-form");
    link_plugin("abi_major", "enricher-old");
}

static void tear_down(void)
{
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf %s", dir);
    CHECK(system(command) == 0);
}

#define HEAD "server: {plugin_dirs: plugins, data_dir: /data}\n"

static plan *load(const char *text, buf *errors)
{
    char path[PATH_MAX];
    put("s.yaml", text);
    (void)snprintf(path, sizeof path, "%s/s.yaml", dir);
    buf_init(errors, CONFIG_ERRORS_MAX);
    return plan_load(path, errors);
}

/* The plan of a text that must be right. */
static plan *good(const char *text)
{
    buf errors;
    plan *p = load(text, &errors);
    if (!p)
        printf("# %s", buf_text(&errors));
    CHECK(p != NULL);
    buf_fini(&errors);
    return p;
}

/* Every wanted part (up to NULL) must stand in the errors; each begins a new search from the start. */
static void bad(const char *text, const char *const *wanted)
{
    buf errors;
    plan *p = load(text, &errors);
    CHECK(p == NULL);
    for (; *wanted; wanted++)
        if (!strstr(buf_text(&errors), *wanted)) {
            CHECK(false); /* an error is missing or worded otherwise */
            printf("# wanted: %s\n# got: %s", *wanted, buf_text(&errors));
        }
    plan_free(p);
    buf_fini(&errors);
}

#define BAD(text, ...) bad(text, (const char *const[]){__VA_ARGS__, NULL})

static ss_config *module_options(const plan *p, size_t i)
{
    ss_error err = error_init();
    plan_module m = plan_module_at(p, i);
    ss_config *n = node_parse(m.blob, strlen(m.blob), &err);
    CHECK(n != NULL);
    return n;
}

static ss_config *ingest(const plan *p)
{
    ss_error err = error_init();
    const char *blob = plan_ingest_blob(p);
    return node_parse(blob, strlen(blob), &err);
}

/* ---- fields of an instance's own ---- */

static void instances_declare_fields(void)
{
    set_up();
    plan *p =
        good(HEAD "enrichers: {paint: }\n"
                  "receivers: {form: {names: [a, b]}, other: {use: form, names: [c], routes: {/form: /o}, "
                  "enrich: [paint]}}\n"
                  "modules: {append: }\n");
    REQUIRE(p);
    ss_config *n = module_options(p, 0);
    REQUIRE(n);
    CHECK_INT(node_len(node_get(n, "catalog.form")), 2);
    CHECK_STR(node_str(node_at(node_get(n, "catalog.form"), 1), "name").ptr, "b");
    CHECK_INT(node_len(node_get(n, "catalog.other")), 2);
    CHECK_STR(node_str(node_at(node_get(n, "catalog.other"), 0), "name").ptr, "c");
    CHECK_STR(node_str(node_at(node_get(n, "catalog.other"), 1), "name").ptr, "colour");
    node_free(n);
    plan_free(p);
    BAD(HEAD "enrichers: {paint: }\nreceivers: {form: {names: [colour.x], enrich: [paint]}}\n",
        "receivers.form: the field 'colour' of enrichers.paint does not fit 'colour.x' of receivers.form");
    BAD(HEAD "receivers: {form: {names: [a, -b]}}\n",
        "receivers.form: form: field '-b' has no doc: give it one sentence");
    tear_down();
}

/* ---- small parts ---- */

static void sizes_and_durations(void)
{
    int64_t n;
    bool b;
    char out[32];
    CHECK(value_size("25MB", &n) && n == 25000000);
    CHECK(value_size("128MiB", &n) && n == 134217728);
    CHECK(value_size("4096", &n) && n == 4096);
    CHECK(value_size("0", &n) && n == 0);
    CHECK(value_size("1 kB", &n) && n == 1000);
    CHECK(!value_size("25mb", &n) && !value_size("-1", &n) && !value_size("", &n) &&
          !value_size("1.5MB", &n));
    CHECK(!value_size("99999999999TiB", &n) && !value_size("9223372036854775808", &n));
    CHECK(value_duration("200ms", &n) && n == 200);
    CHECK(value_duration("60s", &n) && n == 60000);
    CHECK(value_duration("15m", &n) && n == 900000);
    CHECK(value_duration("1h", &n) && n == 3600000);
    CHECK(value_duration("7d", &n) && n == 604800000);
    CHECK(value_duration("0", &n) && n == 0);
    CHECK(!value_duration("60", &n) && !value_duration("1w", &n) && !value_duration("s", &n));
    CHECK(value_int("-7", &n) && n == -7);
    CHECK(!value_int("0x10", &n) && !value_int("1 ", &n) && !value_int("", &n) && !value_int("-", &n));
    CHECK(value_bool("off", &b) && !b && value_bool("true", &b) && b && !value_bool("maybe", &b));
    CHECK(value_url("https://example.org/x") && !value_url("example.org") && !value_url("https:///x") &&
          !value_url("http://a b/"));
    CHECK_STR(value_size_text(25000000, out, sizeof out), "25MB");
    CHECK_STR(value_size_text(8388608, out, sizeof out), "8MiB");
    CHECK_STR(value_size_text(0, out, sizeof out), "0");
    CHECK_STR(value_duration_text(900000, out, sizeof out), "15m");
    CHECK_STR(value_duration_text(1500, out, sizeof out), "1500ms");
}

static const char *near(const char *word, const char *a, const char *b)
{
    static char out[96];
    suggest s;
    suggest_init(&s, ss_cstr(word));
    suggest_offer(&s, ss_cstr(a));
    suggest_offer(&s, ss_cstr(b));
    return suggest_text(&s, out, sizeof out);
}

static void suggestions(void)
{
    CHECK_STR(near("lisen", "listen", "admin"), ", did you mean 'listen'?");
    CHECK_STR(near("delivery_straem", "delivery_stream", "stream"), ", did you mean 'delivery_stream'?");
    CHECK_STR(near("Listen", "listen", "admin"), ", did you mean 'listen'?");
    CHECK_STR(near("completely", "listen", "admin"), "");
    CHECK_STR(near("x", "y", "ab"), "");
    CHECK_STR(near("", "a", "b"), "");
}

/* ---- whole files ---- */

static void an_empty_file_is_a_server_with_defaults(void)
{
    set_up();
    plan *p = good("");
    REQUIRE(p);
    CHECK_INT(plan_module_count(p), 0);
    CHECK_INT(plan_listener_count(p), 2);
    CHECK_STR(plan_listener_at(p, 0).address, "127.0.0.1:8080");
    CHECK_STR(plan_listener_at(p, 0).name, "public");
    CHECK_STR(plan_listener_at(p, 1).address, "127.0.0.1:8081");
    CHECK(plan_listener_at(p, 1).admin && !plan_listener_at(p, 0).admin);
    CHECK_STR(plan_log_level(p), "info");
    CHECK_INT(plan_drain_ms(p), 25000);
    CHECK(plan_loops(p) >= 1);
    CHECK(plan_data_dir(p)[0] == '/' && strcmp(strrchr(plan_data_dir(p), '/'), "/var") == 0);
    ss_config *n = ingest(p);
    REQUIRE(n);
    CHECK_STR(node_str(n, "role").ptr, "ingest");
    CHECK_STR(node_str(n, "data_dir").ptr, plan_data_dir(p));
    CHECK_INT(node_int(n, "server.loops"), plan_loops(p));
    CHECK_INT(node_int(n, "server.max_body_bytes"), 8 << 20);
    CHECK_INT(node_int(n, "server.max_header_bytes"), 30 << 10);
    CHECK_INT(node_int(n, "server.max_connections"), 10000);
    CHECK_INT(node_int(n, "server.max_connections_per_ip"), 0);
    CHECK_INT(node_int(n, "server.request_timeout_ms"), 15000);
    CHECK_INT(node_int(n, "server.idle_timeout_ms"), 75000);
    CHECK_INT(node_int(n, "server.max_event_bytes"), 1 << 20);
    CHECK_STR(node_str(n, "server.ack").ptr, "synced");
    CHECK_INT(node_int(n, "server.journal.segment_bytes"), 64 << 20);
    CHECK_INT(node_int(n, "server.journal.max_bytes"), 0);
    CHECK_INT(node_int(n, "server.journal.retain_ms"), 0);
    CHECK_INT(node_int(n, "server.journal.queue_bytes"), 64 << 20);
    CHECK_INT(node_int(n, "server.journal.sync_delay_us"), 0);
    CHECK_INT(node_int(n, "server.journal.window_us"), 200);
    CHECK_INT(node_len(node_get(n, "receivers")), 0);
    CHECK(node_is_list(node_get(n, "server.trusted_proxies")));
    CHECK_STR(node_str(node_at(node_get(n, "server.client_ip_headers"), 0), "").ptr, "X-Forwarded-For");
    node_free(n);
    plan_free(p);
    plan_free(good("modules:\n"));
    plan_free(good("# nothing but a comment\n"));
    plan_free(good(HEAD "modules: {}\nreceivers:\nenrichers: ~\n"));
    tear_down();
}

static void a_whole_configuration(void)
{
    set_up();
    plan *p = good("server:\n"
                   "  listen: [\"0.0.0.0:80\", \"[::1]:8080\", \":0\"]\n"
                   "  admin: off\n"
                   "  data_dir: /data\n"
                   "  plugin_dirs: [plugins]\n"
                   "  trusted_proxies: [10.0.0.0/8, fd00::/8, 127.0.0.1]\n"
                   "  ack: written\n"
                   "  loops: 3\n"
                   "  log_level: warning\n"
                   "enrichers:\n"
                   "  paint: {colour: blue}\n"
                   "  paint2: {use: paint, field: more.depth, fields: {more.depth: int, more.name: string}}\n"
                   "receivers:\n"
                   "  note: {enrich: [paint2, paint], routes: {/note: [/n, /nn]}}\n"
                   "  notes: {use: note, app: x, ack: memory}\n"
                   "modules:\n"
                   "  append:\n"
                   "  two: {use: append, receivers: [note], start: \"17\", max_bytes: 1GB, batch: {records: "
                   "10, linger: 1s},\n"
                   "        types: note, deadline: 5s, retry: {base: 1s, max: 2s}}\n");
    REQUIRE(p);
    CHECK_INT(plan_listener_count(p), 3);
    CHECK_INT(plan_loops(p), 3);
    CHECK_STR(plan_data_dir(p), "/data");
    ss_config *n = ingest(p);
    REQUIRE(n);
    const ss_config *note = node_at(node_get(n, "receivers"), 0),
                    *notes = node_at(node_get(n, "receivers"), 1);
    CHECK_STR(node_str(note, "name").ptr, "note");
    CHECK_STR(node_str(note, "ack").ptr, "written");
    CHECK_STR(node_str(note, "options.app").ptr, "notes");
    CHECK_STR(node_str(node_at(node_get(note, "enrich"), 0), "").ptr, "paint2");
    CHECK_STR(node_key(node_get(note, "routes"), 0).ptr, "/note");
    CHECK_INT(node_len(node_at(node_get(note, "routes"), 0)), 2);
    CHECK(node_str(note, "path").ptr[0] == '/');
    CHECK_STR(node_str(notes, "use").ptr, "note");
    CHECK_STR(node_str(notes, "ack").ptr, "memory");
    CHECK_STR(node_str(notes, "options.app").ptr, "x");
    CHECK_INT(node_len(node_get(n, "enrichers")), 2);
    CHECK_STR(node_str(node_at(node_get(n, "enrichers"), 0), "options.colour").ptr, "blue");
    CHECK_INT(node_len(node_get(node_at(node_get(n, "enrichers"), 0), "fields")), 0);
    CHECK_INT(node_int(node_at(node_get(node_at(node_get(n, "enrichers"), 1), "fields"), 0), ""),
              SS_FIELD_INT);
    node_free(n);
    CHECK_INT(plan_module_count(p), 2);
    CHECK_INT(plan_module_at(p, 1).max_bytes, 1000000000);
    n = module_options(p, 1);
    REQUIRE(n);
    CHECK_STR(node_str(n, "role").ptr, "module");
    CHECK_STR(node_str(n, "journal_dir").ptr, "/data/journal");
    CHECK_STR(node_str(n, "log_level").ptr, "warning");
    CHECK_STR(node_str(n, "host.start").ptr, "17");
    CHECK_INT(node_int(n, "host.batch.records"), 10);
    CHECK_INT(node_int(n, "host.batch.bytes"), 4 << 20);
    CHECK_INT(node_int(n, "host.batch.linger_ms"), 1000);
    CHECK_INT(node_int(n, "host.deadline_ms"), 5000);
    CHECK_INT(node_int(n, "host.retry.base_ms"), 1000);
    CHECK_INT(node_int(n, "host.drain_ms"), 25000);
    CHECK_STR(node_str(node_at(node_get(n, "host.types"), 0), "").ptr, "note");
    CHECK_STR(node_str(node_at(node_get(n, "catalog.note"), 0), "name").ptr, "text");
    CHECK_STR(node_str(node_at(node_get(n, "catalog.note"), 1), "name").ptr,
              "colour"); /* of two enrichers, once */
    CHECK_STR(node_str(node_at(node_get(n, "catalog.note"), 2), "name").ptr, "more.depth");
    CHECK_INT(node_int(node_at(node_get(n, "catalog.note"), 2), "type"), SS_FIELD_INT);
    CHECK_INT(node_len(node_get(n, "catalog.note")), 4);
    CHECK_INT(node_len(node_get(n, "catalog.notes")), 1);
    node_free(n);
    n = module_options(p, 0);
    CHECK_INT(node_int(n, "host.batch.records"), 1000); /* the plugin's own limit */
    CHECK_STR(node_str(n, "options.file").ptr, "records.ndjson");
    CHECK_STR(node_str(n, "host.start").ptr, "earliest");
    node_free(n);

    char *json = plan_to_json(p);
    REQUIRE(json);
    ss_error err = error_init();
    plan *again = plan_from_json(json, strlen(json), &err);
    REQUIRE(again);
    CHECK_STR(plan_ingest_blob(again), plan_ingest_blob(p));
    CHECK_STR(plan_module_at(again, 1).blob, plan_module_at(p, 1).blob);
    CHECK_STR(plan_listener_at(again, 2).address, ":0");
    CHECK(plan_from_json("{}", 2, &err) == NULL);
    CHECK(plan_from_json("x", 1, &err) == NULL);
    free(json);
    plan_free(again);
    plan_free(p);
    tear_down();
}

static void every_type_of_option(void)
{
    set_up();
    plan *p = good(HEAD "modules:\n"
                        "  all:\n"
                        "    use: options\n"
                        "    level: 9\n"
                        "    ratio: -1.5e3\n"
                        "    strict: no\n"
                        "    compress: zstd\n"
                        "    endpoint: https://example.org/x\n"
                        "    roll: {bytes: 128MiB}\n"
                        "    login: {user: me, password: secret-word}\n"
                        "    sites: {1: {hosts: [a, b]}, example.org: }\n"
                        "    extra: {a: [1, 2.5, true, ~, \"7\", x], b: {c: d}}\n"
                        "  bare: {use: options, path: /abs, sites: {}}\n");
    REQUIRE(p);
    ss_config *n = module_options(p, 0);
    const ss_config *o = node_get(n, "options");
    CHECK_STR(node_str(o, "template").ptr, "{receiver}/year=%Y/");
    CHECK_INT(node_int(o, "level"), 9);
    CHECK(node_float(o, "ratio") == -1500);
    CHECK_INT(node_int(o, "strict"), 0);
    CHECK_STR(node_str(o, "compress").ptr, "zstd");
    CHECK_STR(node_str(o, "endpoint").ptr, "https://example.org/x");
    CHECK_STR(node_str(o, "path").ptr, "/data/lake");
    CHECK_INT(node_int(o, "roll.bytes"), 134217728);
    CHECK_INT(node_int(o, "roll.age"), 60000);
    CHECK_STR(node_str(o, "login.password").ptr, "secret-word");
    const ss_config *sites = node_get(o, "sites");
    CHECK_INT(node_len(sites), 2);
    CHECK_STR(node_key(sites, 0).ptr, "1");
    CHECK_INT(node_len(node_get(node_at(sites, 0), "hosts")), 2);
    CHECK_INT(node_int(node_at(sites, 1), "keep"), 604800000);
    CHECK_STR(node_str(o, "extra").ptr, "{\"a\":[1,2.5,true,null,\"7\",\"x\"],\"b\":{\"c\":\"d\"}}");
    node_free(n);
    n = module_options(p, 1);
    o = node_get(n, "options");
    CHECK_INT(node_int(o, "level"), 3);
    CHECK_STR(node_str(o, "path").ptr, "/abs");
    CHECK(node_get(o, "login") == NULL); /* not required, so what it requires is not asked for */
    CHECK(node_get(o, "endpoint") == NULL);
    CHECK_INT(node_int(o, "strict"), 1);
    node_free(n);
    plan_free(p);
    tear_down();
}

static void all_errors_at_once_with_their_places(void)
{
    set_up();
    BAD("servr: {}\n"
        "server:\n"
        "  lisen: 127.0.0.1:80\n"
        "  ack: sinced\n"
        "  max_body_bytes: 12 apples\n"
        "  loops: 99\n"
        "  plugin_dirs: plugins\n"
        "  idle_timeout: [1s]\n"
        "modules:\n"
        "  append: {fiel: x}\n"
        "  apend: {}\n"
        "  sub: {use: options, compress: gzp, level: x, login: {password: p}, strict: maybe}\n",
        "/s.yaml:1:1: top level: unknown key 'servr', did you mean 'server'?\n",
        "/s.yaml:3:3: server: unknown key 'lisen', did you mean 'listen'?\n",
        "/s.yaml:4:8: server.ack: 'sinced' is not one of synced|written|memory, did you mean 'synced'?\n",
        "/s.yaml:5:19: server.max_body_bytes: '12 apples' is not a size; write 4096, 25MB or 128MiB\n",
        "/s.yaml:6:10: server.loops: '99' is out of range, it must be between 0 and 15\n",
        "/s.yaml:8:17: server.idle_timeout: a duration is wanted here, not a list\n",
        "/s.yaml:10:12: modules.append: unknown key 'fiel', did you mean 'file'?\n",
        "/s.yaml:11:3: modules.apend: no plugin 'apend': there is no module-apend.so in ",
        "did you mean 'append'?\n",
        "/s.yaml:12:33: modules.sub.compress: 'gzp' is not one of gzip|zstd|none, did you mean 'gzip'?\n",
        "modules.sub.level: 'x' is not a whole number\n", "modules.sub.login.user is required: Who.\n",
        "modules.sub.strict: 'maybe' is not true or false\n");
    tear_down();
}

static void names_must_exist(void)
{
    set_up();
    BAD(HEAD "enrichers: {paint: , old: , bad name: }\n"
             "receivers:\n"
             "  note: {enrich: [pain, paint, paint], routes: {/nota: /x, /note: [x]}}\n"
             "  paint: {}\n"
             "modules:\n"
             "  append: {receivers: nite, start: now, batch: {records: 5000}, retry: {base: 5s, max: 1s}, "
             "view: v}\n"
             "  m2: {use: append, view: raw}\n",
        "/s.yaml:4:19: receivers.note.enrich: there is no 'pain' under 'enrichers:', did you mean 'paint'?",
        "/s.yaml:4:32: receivers.note.enrich: 'paint' stands twice",
        "receivers.note.routes: note has no route '/nota', did you mean '/note'?",
        "receivers.note.routes./note: a path begins with /", "receivers.paint: no plugin 'paint'",
        "an enricher has that name, which belongs under 'enrichers:'",
        "enrichers.old: ", "built for plugin contract 1.0, this server 0.1.0 speaks 0.",
        "enrichers: a name has 1 to 40 letters",
        "modules.append.receivers: there is no 'nite' under 'receivers:', did you mean 'note'?",
        "modules.append.start: must be earliest, latest or a sequence number",
        "modules.append.batch.records: append takes at most 1000",
        "modules.append.retry: max must not be less", "modules.m2.view: receiver note has no view 'raw'");
    tear_down();
}

/* What an enricher's options call a field must be one, of some receiver that uses it. */
static void fields_must_exist(void)
{
    set_up();
    BAD(HEAD "enrichers:\n"
             "  paint: {field: tex}\n"
             "  p2: {use: paint, field: more.depht, fields: {more.depth: int, \"a b\": int, c..d: bool, e: "
             "text}}\n"
             "  p3: {use: paint, fields: {text: int}}\n"
             "receivers: {note: {enrich: [paint, p2]}, n2: {use: note, enrich: [p3]}}\n",
        "/s.yaml:3:18: enrichers.paint: field: no receiver that uses it has a field 'tex', did you mean "
        "'text'?",
        "/s.yaml:4:27: enrichers.p2: field: no receiver that uses it has a field 'more.depht', did you mean "
        "'more.depth'?",
        "/s.yaml:4:65: enrichers.p2.fields: 'a b' is no name for a field",
        "/s.yaml:4:77: enrichers.p2.fields: 'c..d' is no name for a field",
        "enrichers.p2.fields.e: 'text' is not one of string|int",
        "the field 'text' of enrichers.p3 does not fit");
    /* Not used, or not known before the environment is: not looked at. */
    plan_free(good(HEAD "enrichers: {paint: {field: nowhere}, p2: {use: paint, field: \"${env:HOME}\"}}\n"
                        "receivers: {note: {enrich: [p2]}}\n"));
    tear_down();
}

static void yaml_is_strict(void)
{
    set_up();
    BAD("server:\n  admin: \"\"\n  admin: off\n",
        "/s.yaml:3:3: 'admin' stands twice, first on line 2; keep one");
    BAD("server: {\n", "/s.yaml:", "not YAML: ");
    BAD("server:\n\tadmin: x\n", "/s.yaml:2:1: not YAML: ", "spaces, not tabs");
    BAD("a: 1\n---\nb: 2\n", "/s.yaml:2:1: a second YAML document");
    BAD("[a, b]\n", "/s.yaml:1:1: the top level must be a mapping");
    BAD("server: [a]\n", "/s.yaml:1:9: server: a mapping is wanted here, not a list");
    BAD("server: {admin: !!int 5}\n", "/s.yaml:1:17: a YAML tag");
    BAD("server: {admin: \"a\\0b\"}\n", "a NUL byte in a value");
    BAD("server: {? [a] : b}\n", "a key must be a word");
    BAD("server: {<<: {admin: off}}\n", "merge keys (<<) are not supported");
    BAD("server: {admin: *nobody}\n", "/s.yaml:1:17: no anchor '&nobody' before this alias");
    BAD("server: &a {admin: *a}\n", "no anchor '&a' before");
    BAD("server: {admin: \xff}\n", "not YAML: ", "save the file as UTF-8");
    BAD("server: {data_dir: \"\"}\n", "server.data_dir: must not be empty");
    BAD("server: {listen: [8080]}\n", "server.listen: not an address; write HOST:PORT");
    BAD("server: {listen: [\"127.0.0.1:80\", \"127.0.0.1:80\"]}\n", "the same address twice");
    BAD("server: {listen: \"127.0.0.1:8081\"}\n", "the same address twice (server.admin counts too)");
    BAD("server: {trusted_proxies: [10.0.0.0/33]}\n", "not an address or a network");
    BAD("server: {client_ip_headers: [\"X Real IP\"]}\n", "not the name of a header");
    BAD("server: {plugin_dirs: nowhere}\n", "server.plugin_dirs: no directory ");
    BAD("server: {journal: {max_bytes: 64MiB}}\n", "at least 4 times segment_bytes");
    tear_down();
}

static void aliases_are_bounded(void)
{
    set_up();
    plan *p = good("server: {plugin_dirs: plugins}\n"
                   "modules:\n  append: &a {receivers: []}\n  two: {use: append, batch: &b {records: 7}}\n"
                   "  three: {use: append, batch: *b}\n");
    REQUIRE(p);
    ss_config *n = module_options(p, 2);
    CHECK_INT(node_int(n, "host.batch.records"), 7);
    node_free(n);
    plan_free(p);
    char text[4096] = "x0: &x0 [a, a, a, a, a, a, a, a, a, a]\n";
    for (int i = 1; i < 20; i++) /* a billion laughs */
        (void)snprintf(text + strlen(text), sizeof text - strlen(text),
                       "x%d: &x%d [*x%d, *x%d, *x%d, *x%d, *x%d, *x%d, *x%d, *x%d, *x%d, *x%d]\n", i, i,
                       i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
    BAD(text, "more than 20000 values");
    char deep[512] = "";
    for (int i = 0; i < 100; i++)
        (void)snprintf(deep + strlen(deep), sizeof deep - strlen(deep), "[");
    BAD(deep, "nested deeper than 32 levels");
    char through[1024] =
        "a: &a [[[[[[[[[[[[[[[[[[[[x]]]]]]]]]]]]]]]]]]]]\nb: [[[[[[[[[[[[[[[[[[[[*a]]]]]]]]]]]]]]]]]]]]\n";
    BAD(through, "nested deeper than 32 levels through this alias");
    tear_down();
}

static void references(void)
{
    set_up();
    put("token", "file-token-value\n");
    (void)setenv("T_PORT", "9090", 1);
    (void)setenv("T_EMPTY", "", 1);
    (void)unsetenv("T_NONE");
    plan *p = good("server:\n"
                   "  listen: 127.0.0.1:${env:T_PORT}\n"
                   "  admin: ${env:T_NONE:-127.0.0.1:7070}\n"
                   "  data_dir: ${env:T_EMPTY:-/other}\n"
                   "  plugin_dirs: plugins\n"
                   "modules:\n"
                   "  all: {use: options, token: \"${file:token}\", template: \"x-${file:token}-$${y}\", "
                   "level: \"${env:T_NONE:-5}\"}\n");
    REQUIRE(p);
    CHECK_STR(plan_listener_at(p, 0).address, "127.0.0.1:9090");
    CHECK_STR(plan_listener_at(p, 1).address, "127.0.0.1:7070");
    CHECK_STR(plan_data_dir(p), "/other");
    CHECK(strstr(plan_module_at(p, 0).blob, "\"token\":{\"$file\":\"/") != NULL);
    ss_config *n = module_options(p, 0);
    char out[64];
    ss_error err = error_init();
    CHECK_STR(node_str(n, "options.template").ptr, "x-file-token-value-${y}");
    CHECK_INT(node_int(n, "options.level"), 5);
    CHECK_INT(node_secret(node_get(n, "options"), "token", out, sizeof out, &err), 16);
    CHECK_STR(out, "file-token-value");
    node_free(n);
    plan_free(p);
    BAD(HEAD "modules: {all: {use: options, template: \"${env:T_NONE}\"}}\n",
        "modules.all.template: the environment variable T_NONE is not set; set it, or write "
        "${env:T_NONE:-default}");
    BAD(HEAD "modules: {all: {use: options, token: \"${file:absent}\"}}\n",
        "modules.all.token: ${file:", "No such file");
    BAD(HEAD "modules: {all: {use: options, template: \"${file:absent}\"}}\n",
        "modules.all.template: ${file:");
    BAD(HEAD "modules: {all: {use: options, template: \"${foo:x}\"}}\n", "an unknown reference '${foo:x}'");
    BAD(HEAD "modules: {all: {use: options, template: \"${env:X\"}}\n", "'${' without its '}'");
    BAD(HEAD "modules: {all: {use: options, template: \"${env:}\"}}\n", "without the name of a variable");
    tear_down();
}

static void lacks(const char *text, const char *never)
{
    buf errors;
    plan *p = load(text, &errors);
    CHECK(p == NULL);
    CHECK(errors.len > 0);
    if (strstr(buf_text(&errors), never)) {
        CHECK(false); /* an error prints a secret */
        printf("# %s", buf_text(&errors));
    }
    plan_free(p);
    buf_fini(&errors);
}

static void errors_never_print_a_secret(void)
{
    set_up();
    put("token", "tiger-tiger\n");
    (void)setenv("T_SECRET", "tiger-tiger", 1);
    lacks(HEAD "modules: {all: {use: options, token: tiger-tiger, compress: none}}\n", "tiger");
    lacks(HEAD "modules: {all: {use: options, token: \"${env:T_SECRET}\", compress: none}}\n", "tiger");
    lacks(HEAD "modules: {all: {use: options, level: \"${env:T_SECRET}\"}}\n", "tiger");
    lacks(HEAD "modules: {all: {use: options, compress: \"${env:T_SECRET}\"}}\n", "tiger");
    lacks(HEAD "modules: {all: {use: options, endpoint: \"${file:token}\"}}\n", "tiger");
    lacks(HEAD "modules: {all: {use: options, token: {tiger-tiger: 1}}}\n", "tiger");
    lacks(HEAD "modules: {all: {use: options, tokn: tiger-tiger}}\n", "tiger");
    BAD(HEAD "modules: {all: {use: options, token: tiger-tiger, compress: none}}\n",
        "/s.yaml:2:11: modules.all: token *** needs compress");
    tear_down();
}

static void fragments_are_merged(void)
{
    set_up();
    put("conf.d/10-more.yaml", "modules:\n  append:\nserver: {max_connections: 5}\n");
    put("conf.d/20-enrich.yaml", "enrichers: {paint: {}}\nreceivers: {note: {enrich: [paint]}}\n");
    put("conf.d/ignored.yml", "nonsense: [\n");
    put("conf.d/.hidden.yaml", "nonsense: [\n");
    plan *p = good(HEAD "modules:\n");
    REQUIRE(p);
    CHECK_INT(plan_module_count(p), 1);
    ss_config *n = ingest(p);
    CHECK_INT(node_int(n, "server.max_connections"), 5);
    CHECK_INT(node_len(node_get(n, "receivers")), 1);
    node_free(n);
    plan_free(p);
    BAD("server: {plugin_dirs: plugins, max_connections: 6}\nmodules: {append: {}}\n",
        "/conf.d/10-more.yaml:2:3: modules.append stands also in ", "/s.yaml:2:11; keep one",
        "/conf.d/10-more.yaml:3:10: server.max_connections stands also in ", "/s.yaml:1:32; keep one");
    put("conf.d/30-bad.yaml", "modules: {other: {x: 1}}\nlogs: 1\n");
    BAD(HEAD, "/conf.d/30-bad.yaml:1:11: modules.other: no plugin 'other'",
        "/conf.d/30-bad.yaml:2:1: top level: unknown key");
    tear_down();
}

static void uses_and_paths(void)
{
    set_up();
    plan *p = good(HEAD "modules: {mine: {use: ./plugins/module-append.so}}\n");
    REQUIRE(p);
    plan_free(p);
    BAD(HEAD "modules: {mine: {use: ./plugins/absent.so}}\n", "modules.mine: no plugin at ", "No such file");
    BAD(HEAD "modules: {mine: {use: ./plugins/receiver-note.so}}\n",
        "a receiver, but a module is wanted here");
    BAD(HEAD "modules: {mine: {use: [a]}}\n", "modules.mine.use: the name of a plugin");
    BAD(HEAD "modules: {append: {file: a/b}}\n",
        "/s.yaml:2:11: modules.append: file: must be a name without a slash");
    BAD(HEAD "modules: {append: text}\n", "modules.append: a mapping is wanted here, not a single value");
    tear_down();
}

static void a_missing_file_is_named(void)
{
    buf errors;
    buf_init(&errors, CONFIG_ERRORS_MAX);
    CHECK(plan_load("/nonexistent/s.yaml", &errors) == NULL);
    CHECK_STR(buf_text(&errors), "/nonexistent/s.yaml: cannot be read: No such file or directory\n");
    buf_fini(&errors);
    config_place found;
    ss_error err = error_init();
    CHECK(!config_find_place("/nonexistent/s.yaml", &found, &err));
    CHECK(strstr(err.text, "cannot be read") != NULL);
    CHECK(config_find_place(NULL, &found, &err));
    CHECK_INT(found.dir_count, 1);
    config_place_fini(&found);
}

static void the_printed_configuration_reads_back(void)
{
    set_up();
    char path[PATH_MAX];
    buf errors, printed, again;
    buf_init(&errors, CONFIG_ERRORS_MAX);
    buf_init(&printed, 1 << 20);
    buf_init(&again, 1 << 20);
    put("s.yaml",
        HEAD "enrichers: {paint: }\nreceivers: {note: {enrich: [paint], routes: {/note: /n}}}\nmodules:\n"
             "  all: {use: options, token: tiger-tiger, extra: {a: 1}, sites: {1: {hosts: [a]}}, template: "
             "\"$${x} \\\"\"}\n");
    (void)snprintf(path, sizeof path, "%s/s.yaml", dir);
    config *c = config_load(path, &errors);
    REQUIRE(c);
    CHECK_INT(config_count(c, SS_RECEIVER), 1);
    CHECK_INT(config_connect(c, &errors), 0);
    config_print(c, &printed);
    config_free(c);
    CHECK(strstr(buf_text(&printed), "tiger") == NULL);
    CHECK(strstr(buf_text(&printed), "    token: \"***\"\n") != NULL);
    CHECK(strstr(buf_text(&printed), "  max_body_bytes: 8MiB\n") != NULL);
    CHECK(strstr(buf_text(&printed), "    segment_bytes: 64MiB\n") != NULL);
    put("s.yaml", buf_text(&printed));
    c = config_load(path, &errors);
    CHECK_STR(buf_text(&errors), "");
    REQUIRE(c);
    config_print(c, &again);
    CHECK_STR(buf_text(&again), buf_text(&printed));
    config_free(c);
    buf_fini(&errors), buf_fini(&printed), buf_fini(&again);
    tear_down();
}

static const check_test tests[] = {
    TEST(sizes_and_durations),
    TEST(suggestions),
    TEST(an_empty_file_is_a_server_with_defaults),
    TEST(a_whole_configuration),
    TEST(every_type_of_option),
    TEST(instances_declare_fields),
    TEST(all_errors_at_once_with_their_places),
    TEST(names_must_exist),
    TEST(fields_must_exist),
    TEST(yaml_is_strict),
    TEST(aliases_are_bounded),
    TEST(references),
    TEST(errors_never_print_a_secret),
    TEST(fragments_are_merged),
    TEST(uses_and_paths),
    TEST(a_missing_file_is_named),
    TEST(the_printed_configuration_reads_back),
};
CHECK_MAIN(tests)
