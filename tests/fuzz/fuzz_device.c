// with: enrichers/device/*.c
// libs: -lpcre2-8 -lyaml -lpthread
/* Any bytes as a user agent and (from the first 0xFF on) as its client hints, on the regex files of the unit
   tests; what the filter leaves out may not match. */
#include <stdint.h>
#include <stdlib.h>

#include "enrichers/device/load.h"
#include "enrichers/device/scan.h"
#include "enrichers/device/view.h"
#include "tests/unit/device_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static rules *load(void)
{
    char directory[512];
    ss_error err = {.struct_size = sizeof err};
    device_make(directory, sizeof directory);
    rules *r = rules_load(directory, &err);
    device_remove(directory);
    if (!r)
        abort();
    return r;
}

/* Without the filter the same rule matches first, in each of the files. */
static void check_filter(scan *s, ss_str agent)
{
    uint32_t first[FILE_COUNT];
    subject *on = &s->plain;
    s->matcher.left = UINT32_MAX;
    subject_set(on, &s->r->filter, agent);
    for (int i = 0; i < FILE_OWN; i++)
        first[i] = rules_first(s->r, s->r->lists[i], on, &s->matcher, &s->groups);
    memset(on->candidates, 0xFF, (s->r->count + 63) / 64 * sizeof *on->candidates);
    memset(on->from, 0, s->r->count * sizeof *on->from);
    for (int i = 0; i < FILE_OWN; i++)
        if (rules_first(s->r, s->r->lists[i], on, &s->matcher, &s->groups) != first[i])
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static scan *s;
    device_result found;
    view seen;
    char room[VIEW_ROOM];
    if (!s && !(s = scan_new(load())))
        abort();
    const uint8_t *split = size ? memchr(data, 0xFF, size) : NULL;
    ss_str agent = ss_s((const char *)data, split ? (size_t)(split - data) : size), json = ss_s("", 0);
    if (split)
        json = ss_s((const char *)split + 1, size - agent.len - 1);
    if (!agent.ptr)
        agent.ptr = "";
    scan_run(s, agent, json, &found);
    view_make(&seen, &found, room);
    for (size_t i = 0; i < VIEW_COUNT; i++)
        for (size_t k = 0; k < seen.text[i].len; k++)
            ((volatile char *)room)[0] = seen.text[i].ptr[k]; /* every byte is there */
    check_filter(s, agent);
    return 0;
}
