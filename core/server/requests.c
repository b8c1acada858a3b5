/* What the verbs may ask of a running server. */
#include <unistd.h>

#include "core/base/clock.h"
#include "core/observe/health.h"
#include "core/server/inside.h"

static void put_text(buf *out, const char *name, const char *text)
{
    buf_addf(out, "\"%s\":\"", name);
    health_put_json(out, ss_cstr(text));
    buf_adds(out, "\"");
}

static void put_listeners(const supervisor *s, buf *out)
{
    buf_adds(out, "\"listeners\":[");
    for (size_t i = 0; i < s->listener_count; i++) {
        const server_listener *l = &s->listeners[i];
        buf_adds(out, i ? ",{" : "{");
        put_text(out, "name", l->name);
        buf_adds(out, ",");
        put_text(out, "address", l->bound);
        buf_adds(out, ",");
        put_text(out, "configured", l->configured);
        buf_addf(out, ",\"admin\":%s}", l->admin ? "true" : "false");
    }
    buf_adds(out, "]");
}

static void put_parked(const supervisor *s, buf *out)
{
    bool first = true;
    buf_adds(out, "\"parked\":[");
    for (size_t i = 0; i < RESTART_PARKS_MAX; i++) {
        if (!restart_is_parked(&s->parks, i))
            continue;
        buf_adds(out, first ? "\"" : ",\"");
        health_put_json(out, ss_cstr(s->parks.entries[i].name));
        buf_adds(out, "\"");
        first = false;
    }
    buf_adds(out, "]");
}

static void put_health(supervisor *s, buf *out)
{
    buf why;
    buf_init(&why, 1024);
    bool ready = health_ready(s->board, &why);
    buf_addf(out, "\"ready\":%s,", ready ? "true" : "false");
    put_text(out, "health", buf_text(&why));
    buf_fini(&why);
}

static void answer_status(supervisor *s, control_client *client)
{
    buf out;
    buf_init(&out, CONTROL_ANSWER_MAX);
    buf_adds(&out, "{\"version\":\"" SS_VERSION "\",");
    buf_addf(&out, "\"pid\":%d,\"uptime_ms\":%lld,", (int)getpid(),
             (long long)(clock_mono_us() - s->born_us) / 1000);
    put_text(&out, "config", s->config_path);
    buf_adds(&out, ",");
    put_text(&out, "data_dir", s->data_dir);
    buf_adds(&out, ",");
    put_health(s, &out);
    buf_adds(&out, ",");
    put_listeners(s, &out);
    buf_adds(&out, ",\"journal\":");
    health_journal_json(s->board, &out);
    buf_adds(&out, ",\"processes\":");
    health_processes_json(s->board, &out);
    buf_adds(&out, ",\"modules\":");
    health_modules_json(s->board, &out);
    buf_adds(&out, ",");
    put_parked(s, &out);
    buf_adds(&out, "}\n");
    control_answer(client, !out.failed, buf_str(&out), -1);
    buf_fini(&out);
}

static void answer_forget(supervisor *s, control_client *client, const char *name)
{
    ss_error err = error_init();
    bool done = family_forget(s, name, &err);
    control_answer(client, done, ss_cstr(err.text), -1);
}

/* "module NAME quarantine|flush|forget|setup" */
static void answer_module(supervisor *s, control_client *client, const char *rest)
{
    char name[64], what[16], text[160];
    bool read = sscanf(rest, "%63s %15s", name, what) == 2;
    if (read && strcmp(what, "forget") == 0) {
        answer_forget(s, client, name);
        return;
    }
    if (read && strcmp(what, "setup") == 0) {
        setup_begin(s, client, name);
        return;
    }
    if (!read || (strcmp(what, "quarantine") != 0 && strcmp(what, "flush") != 0)) {
        control_answer(client, false, ss_cstr("ask: module NAME quarantine, flush, forget or setup\n"), -1);
        return;
    }
    child *c = family_module(s, name);
    bool sent = c && family_send(c, what, -1);
    if (sent)
        family_tell(c, SIGUSR1); /* wakes it from its wait for records */
    if (sent)
        (void)snprintf(text, sizeof text, "module %s was told\n", name);
    else if (!c)
        (void)snprintf(text, sizeof text, "no module is named %s; `streamsteam status` lists them\n", name);
    else
        (void)snprintf(text, sizeof text,
                       "module %s does not run just now; it looks by itself when it starts\n", name);
    control_answer(client, sent, ss_cstr(text), -1);
}

void requests_handle(void *arg, control_client *client, const char *request)
{
    supervisor *s = arg;
    if (strcmp(request, "status") == 0)
        answer_status(s, client);
    else if (strcmp(request, "reload") == 0)
        reload_begin(s, client);
    else if (strcmp(request, "board") == 0)
        control_answer(client, true, ss_s("", 0), s->board_fd);
    else if (strncmp(request, "module ", 7) == 0)
        answer_module(s, client, request + 7);
    else
        control_answer(
            client, false,
            ss_cstr("this server knows: status, reload, board, module NAME quarantine|flush|forget|setup\n"),
            -1);
}
