/* The game receiver over lines: "P" and a direct producer's record, or "A" and the body of a request; out
   comes a line of JSON with what became of it. usage: game_lines APPLICATION NAME APPLICATION NAME < lines */
// with: receivers/game/*.c
#include <stdio.h>
#include <stdlib.h>

#include "plugins/common/json.h"
#include "plugins/sdk/testkit/testkit.h"

#define LINE_MAX_BYTES (1u << 20)

const ss_plugin *ss_plugin_v0(void);

static void print_text(const char *name, const char *text)
{
    char *out = malloc(json_escape_bound(strlen(text)));
    if (!out)
        abort();
    (void)printf(",\"%s\":%.*s", name, (int)json_put_string(out, ss_cstr(text)), out);
    free(out);
}

static void print_event(testkit *k, size_t i)
{
    static const char *const views[] = {"stream", "msk", "processed_iso"};
    (void)printf("%s{\"line\":%s", i ? "," : "", testkit_line(k, i));
    for (size_t v = 0; v < sizeof views / sizeof *views; v++) {
        size_t len;
        (void)testkit_view(k, i, views[v]);
        const char *said = testkit_said(k, &len);
        (void)printf(",\"%s\":%.*s", views[v], (int)len, said);
    }
    (void)printf("}");
}

static void take(testkit *k, const char *target, const char *line)
{
    int32_t status;
    if (line[0] == 'P')
        status = testkit_parse(k, &(ss_message){.body = ss_cstr(line + 1)});
    else
        status = testkit_receive(
            k, &(testkit_request){.method = "POST",
                                  .target = target,
                                  .headers = "Content-Type: application/json\nAuthorization: key\n",
                                  .body = line + 1});
    (void)printf("{\"status\":%d", status);
    print_text("body", line[0] == 'A' ? testkit_body(k, NULL) : testkit_error(k));
    (void)printf(",\"events\":[");
    for (size_t i = 0; i < testkit_event_count(k); i++)
        print_event(k, i);
    (void)printf("]}\n");
}

int main(int argc, char **argv)
{
    static char line[LINE_MAX_BYTES];
    char target[256];
    testkit *k = testkit_new(ss_plugin_v0(), NULL);
    if (argc < 3 || testkit_error(k)[0])
        return 2;
    for (int i = 1; i + 1 < argc; i += 2)
        testkit_add_application(k, &(testkit_app){.id = argv[i], .name = argv[i + 1], .key = "key"});
    (void)snprintf(target, sizeof target, "/live/applications/%s/events", argv[1]);
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        take(k, target, line);
    }
    bool good = testkit_problems(k)[0] == '\0';
    if (!good)
        (void)fprintf(stderr, "%s\n", testkit_problems(k));
    testkit_free(k);
    return good ? 0 : 1;
}
