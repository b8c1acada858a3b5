/* An instance's life: made, ended, taken over, refused. */
#include <stdlib.h>

#include "plugins/sdk/verify/inside.h"

#define LIVES      50
#define WARM_LIVES 10
#define NTH_MAX    200u

static void live_once(const verify_subject *s)
{
    testkit *k = verify_open(s);
    if (!k)
        return;
    verify_start(k);
    verify_close(k);
}

void check_opens(const verify_subject *s)
{
    testkit *k = verify_open(s);
    if (!k && s->options[0] == '{' && s->options[1] == '}')
        verify_fail("give it what it needs: --config example.yaml");
    if (k)
        verify_close(k);
}

static void live_round(void *arg)
{
    live_once(arg);
}

void check_life(const verify_subject *s)
{
    for (int i = 0; i < WARM_LIVES; i++)
        live_once(s);
    verify_repeat(LIVES, live_round, NULL, (void *)(uintptr_t)s, "lives",
                  "destroy() has to give back what create() and start() took");
}

void check_reload(const verify_subject *s)
{
    testkit *k = verify_open_apart(s);
    if (!k)
        return;
    verify_start(k);
    verify_step("a call before the reload");
    verify_use_once(k, s);
    for (int i = 0; i < 3; i++) {
        verify_step("a reload: create() while the old instance serves, adopt(), destroy() of the old");
        if (!testkit_restart(k, true))
            verify_fail("create() failed while the old instance still served: %s", testkit_error(k));
        verify_start(k);
        verify_step(
            "a call of the new instance after destroy() of the old: two instances must not share a state");
        verify_use_once(k, s);
    }
    verify_step("a restart after a crash");
    if (!testkit_restart(k, false))
        verify_fail("create() failed over what a former life left: %s", testkit_error(k));
    verify_close(k);
}

/* ---- odd options ---- */

static const char *const odd_texts[] = {"\"\"",
                                        "\"   \"",
                                        "\"\\u0001\\u007f\"",
                                        "\"../../etc/passwd\"",
                                        "\"%s%n%s\"",
                                        "\"\\u00e4\\ud83d\\ude00\"",
                                        "\"a,b;c|d\"",
                                        "\"http://\"",
                                        "\"0\"",
                                        "\"-1\""};

static void try_option(const verify_subject *s, const char *name, const char *value)
{
    char json[16384];
    size_t len = strlen(s->options);
    while (len > 0 && s->options[len - 1] != '}')
        len--;
    bool empty = strcspn(s->options + 1, " \n\t}") == 0 && len <= 2;
    if (len == 0 || len + strlen(name) + strlen(value) + 16 > sizeof json)
        return;
    (void)snprintf(json, sizeof json, "%.*s%s\"%s\":%s}", (int)(len - 1), s->options, empty ? "" : ",", name,
                   value);
    verify_step("create() with %s: %.80s", name, value);
    testkit *k = testkit_new(s->plugin, json);
    if (!testkit_instance(k) && !testkit_error(k)[0])
        verify_fail("create() refused %s: %.80s without a sentence in ss_error: say what is wrong and how "
                    "it is mended",
                    name, value);
    verify_close(k);
}

static char *long_text(size_t len)
{
    char *text = malloc(len + 3);
    if (!text)
        return NULL;
    memset(text, 'x', len + 2);
    text[0] = text[len + 1] = '"';
    text[len + 2] = '\0';
    return text;
}

void check_refusals(const verify_subject *s)
{
    char *longest = long_text(5000);
    for (size_t i = 0; s->plugin->options; i++) {
        const void *at = (const char *)s->plugin->options + i * s->plugin->option_size;
        const ss_option *o = at;
        if (!o->name)
            break;
        if (o->type != SS_T_STRING && o->type != SS_T_URL && o->type != SS_T_PATH)
            continue; /* the host has checked the others before create() sees them */
        for (size_t n = 0; n < sizeof odd_texts / sizeof *odd_texts; n++)
            try_option(s, o->name, odd_texts[n]);
        if (longest)
            try_option(s, o->name, longest);
    }
    free(longest);
}

/* ---- host calls that fail ---- */

static const struct {
    enum testkit_fault what;
    const char *name;
} life_faults[] = {{TESTKIT_MEM, "mem()"},
                   {TESTKIT_STATE_FILE, "state_file()"},
                   {TESTKIT_SECRET, "secret()"},
                   {TESTKIT_METRIC, "counter()"},
                   {TESTKIT_CALL_BEGIN, "call_begin()"}};

void check_host_faults(const verify_subject *s)
{
    for (size_t f = 0; f < sizeof life_faults / sizeof *life_faults; f++) {
        for (uint32_t nth = 1; nth <= NTH_MAX; nth++) {
            verify_step("create() where the host's %s fails at call %u", life_faults[f].name, nth);
            testkit *k = testkit_new_failing(s->plugin, s->options, life_faults[f].what, nth);
            bool reached = testkit_calls(k, life_faults[f].what) >= nth;
            if (!testkit_instance(k) && !testkit_error(k)[0])
                verify_fail("create() failed without a sentence in ss_error where %s failed at call %u",
                            life_faults[f].name, nth);
            if (testkit_instance(k))
                (void)testkit_start(k, 0, NULL);
            verify_close(k);
            if (!reached)
                break;
        }
    }
}

/* ---- setup, teardown, howto ---- */

static int32_t sink_write(void *self, const char *bytes, size_t len)
{
    size_t *total = self;
    *total += len;
    return bytes || len == 0 ? 0 : -1;
}

typedef int32_t verb(const ss_host *host, const ss_config *cfg, const ss_sink *out, ss_error *err);

static void run_verb(testkit *k, verb *call, const char *name)
{
    size_t written = 0;
    ss_sink out = {.struct_size = sizeof out, .self = &written, .write = sink_write};
    for (int i = 0; call && i < 2; i++) {
        ss_error err = {.struct_size = sizeof err};
        verify_step("%s(), time %d", name, i + 1);
        int32_t status = call(testkit_host(k), testkit_config(k), &out, &err);
        if (status != SS_OK && !err.text[0])
            verify_fail("%s() failed without a sentence in ss_error", name);
        if (strcmp(name, "howto") == 0 && status == SS_OK && written == 0)
            verify_fail("howto() wrote nothing");
    }
}

void check_lifecycle_verbs(const verify_subject *s)
{
    const ss_plugin *p = s->plugin;
    if (!p->setup && !p->teardown && !p->howto) {
        verify_skip("it has none");
        return;
    }
    testkit *k = verify_open(s);
    if (!k)
        return;
    run_verb(k, p->setup, "setup");
    run_verb(k, p->howto, "howto");
    run_verb(k, p->teardown, "teardown");
    verify_close(k);
}
