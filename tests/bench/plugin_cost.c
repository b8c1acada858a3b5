/* The same receiver, linked into this program or loaded from its .so, on the same host: plugin_cost.py counts
   the instructions of measured().

   usage: plugin_cost linked|PATH.so COUNT */
#include <stdlib.h>

#include "core/event/line.h"
#include "plugins/common/url.h"
#include "plugins/loader/loader.h"
#include "plugins/sdk/testkit/testkit.h"

#define SCRATCH_BYTES (256u * 1024)
#define FIELDS_MAX    1024u
#define LINE_BYTES    (1024u * 1024)

/* What a lane of the server is, without the journal. One, as there is one thread. */
static struct lane {
    event_table *table;
    ss_event event;
    ss_value values[FIELDS_MAX];
    uint64_t present[FIELDS_MAX / 64];
    size_t used, emitted;
    char *line;
    _Alignas(16) char scratch[SCRATCH_BYTES];
} lane;

static void *lane_mem(ss_call *call, size_t len)
{
    (void)call;
    size_t at = (lane.used + 15u) & ~(size_t)15u;
    if (len > SCRATCH_BYTES - at)
        return NULL;
    lane.used = at + len;
    return lane.scratch + at;
}

static ss_event *lane_event_new(ss_call *call)
{
    memset(lane.present, 0, sizeof lane.present);
    lane.event = (ss_event){.struct_size = sizeof lane.event,
                            .value_size = sizeof(ss_value),
                            .field_count = (uint32_t)event_table_count(lane.table),
                            .values = lane.values,
                            .present = lane.present,
                            .call = call,
                            .receive_us = TESTKIT_EPOCH_US,
                            .event_us = TESTKIT_EPOCH_US};
    return &lane.event;
}

static int32_t lane_emit(ss_call *call, ss_event *event)
{
    (void)call;
    event->id = SS_LIT("00000000-0000-7000-8000-000000000001");
    lane.emitted += event_line_write(lane.table, event, lane.line) > 0;
    return SS_OK;
}

static ss_str lane_header(const ss_request *request, const char *name)
{
    (void)request;
    return strcmp(name, "User-Agent") == 0 ? SS_LIT("Mozilla/5.0 (X11; Linux x86_64)") : ss_s("", 0);
}

static void lane_rejected(ss_call *call, const char *code, ss_str text)
{
    (void)call;
    (void)fprintf(stderr, "rejected: %s: %.*s\n", code, (int)text.len, text.ptr);
}

static const char query[] =
    "idsite=1&rec=1&url=https%3A%2F%2Fshop.example.org%2Fproducts%2Fshoes%3Fcolour%3Dred%26size%3D42&"
    "action_name=Red%20shoes%20%7C%20Shop&_id=0123456789abcdef&rand=839213&h=14&m=3&s=7&pdf=1&qt=0&cookie=1&"
    "res=1920x1080&uadata=%7B%7D&pv_id=aB3dE6&pf_net=12&pf_srv=87&pf_tfr=4&pf_dm1=120&lang=de-de&"
    "urlref=https%3A%2F%2Fwww.example.com%2Fsearch%3Fq%3Dshoes&e_c=Videos&e_a=Play&e_n=Trailer&e_v=42";

static const ss_pair *lane_query(const ss_request *request, uint32_t *count)
{
    static ss_pair pairs[64];
    url_pairs walk;
    url_pair pair;
    *count = 0;
    url_pairs_start(&walk, request->raw_query);
    while (*count < 64 && url_pairs_next(&walk, &pair))
        pairs[(*count)++] = (ss_pair){pair.key, pair.value};
    return pairs;
}

/* Not inlined: its instructions, with all that it calls, are what is counted. */
__attribute__((noinline)) int32_t measured(const ss_plugin *plugin, void *inst, const ss_request *request,
                                           ss_response *response, ss_error *err);
int32_t measured(const ss_plugin *plugin, void *inst, const ss_request *request, ss_response *response,
                 ss_error *err)
{
    return plugin->receiver->receive(inst, request, response, err);
}

static bool run(const ss_plugin *plugin, void *inst, long count)
{
    ss_request request = {.struct_size = sizeof request,
                          .pair_size = sizeof(ss_pair),
                          .call = (ss_call *)(void *)&lane,
                          .method = SS_LIT("GET"),
                          .path = SS_LIT("/matomo.php"),
                          .raw_query = SS_LIT(query),
                          .client_ip = SS_LIT("192.0.2.7"),
                          .peer_ip = SS_LIT("192.0.2.7"),
                          .scheme = SS_LIT("https"),
                          .host = SS_LIT("localhost"),
                          .user_agent = SS_LIT("Mozilla/5.0 (X11; Linux x86_64)"),
                          .request_id = SS_LIT("1"),
                          .route = SS_LIT("/matomo.php"),
                          .received_us = TESTKIT_EPOCH_US,
                          .flags = 1};
    for (long i = 0; i < count; i++) {
        ss_response response = {.struct_size = sizeof response, .status = 204};
        ss_error err = {.struct_size = sizeof err};
        lane.used = 0;
        if (measured(plugin, inst, &request, &response, &err) != SS_OK) {
            (void)fprintf(stderr, "receive: %s\n", err.text);
            return false;
        }
    }
    return lane.emitted == (size_t)count;
}

const ss_plugin *ss_plugin_v0(void);

int main(int argc, char **argv)
{
    ss_error err = {.struct_size = sizeof err};
    if (argc != 3)
        return 2;
    const ss_plugin *linked = ss_plugin_v0();
    const ss_plugin *plugin =
        strcmp(argv[1], "linked") == 0 ? linked : loader_open(argv[1], SS_RECEIVER, &err);
    if (strcmp(argv[1], "linked") != 0 && plugin == linked)
        return 3; /* then both would measure the same */
    testkit *k = plugin ? testkit_new(plugin, NULL) : NULL;
    lane.table = k ? event_table_new(plugin, NULL, 0, &err) : NULL;
    lane.line = malloc(LINE_BYTES);
    if (!k || !testkit_instance(k) || !lane.table || !lane.line) {
        (void)fprintf(stderr, "%s: %s%s\n", argv[1], err.text, k ? testkit_error(k) : "");
        return 1;
    }
    ss_host *host = (ss_host *)(uintptr_t)testkit_host(k); /* its configuration and metrics, our events */
    host->mem = lane_mem;
    host->event_new = lane_event_new;
    host->emit = lane_emit;
    host->query = lane_query;
    host->header = lane_header;
    host->rejected = lane_rejected;
    bool good = run(plugin, testkit_instance(k), strtol(argv[2], NULL, 10));
    testkit_free(k);
    event_table_free(lane.table);
    free(lane.line);
    return good ? 0 : 1;
}
