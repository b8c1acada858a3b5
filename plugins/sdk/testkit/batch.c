/* Batches for modules, and what came of them. */
#include <stdlib.h>

#include "plugins/sdk/testkit/inside.h"

#define DELIVER_MS 30000
#define NEWER      0xA5A5A5A5A5A5A5A5u

static void text_free(ss_str s)
{
    free((void *)(uintptr_t)s.ptr);
}

void kit_records_clear(testkit *k)
{
    for (uint32_t i = 0; i < k->record_count; i++) {
        ss_record *r = &k->records[i].of_header;
        text_free(r->receiver);
        text_free(r->app);
        text_free(r->type);
        text_free(r->id);
        text_free(r->json);
    }
    for (uint32_t i = 0; i < k->result_count; i++)
        text_free(k->results[i].of_header.text);
    free(k->records);
    free(k->results);
    k->records = NULL;
    k->results = NULL;
    k->record_count = k->result_count = 0;
}

static ss_str own(const char *text)
{
    return ss_s(kit_copy(ss_cstr(text)), strlen(text));
}

void testkit_add_record(testkit *k, const char *receiver, const char *app, const char *type, const char *json)
{
    if (k->result_count > 0) /* they belong to the last delivery */
        kit_records_clear(k);
    k->records = kit_realloc(k->records, (k->record_count + 1) * sizeof *k->records);
    char id[EVENT_FIELD_NAME_MAX];
    kit_record *made = &k->records[k->record_count++];
    ss_record *r = &made->of_header;
    *made = (kit_record){.newer = {NEWER, NEWER, NEWER}};
    *r = (ss_record){.seq = ++k->next_seq,
                     .receive_us = k->now_us,
                     .event_us = k->now_us,
                     .receiver = own(receiver),
                     .app = own(app),
                     .type = own(type),
                     .json = own(json),
                     .schema_rev = 1,
                     .attempt = 1};
    (void)snprintf(id, sizeof id, "00000000-0000-7000-8000-%012llx", (unsigned long long)r->seq);
    r->id = own(id);
    r->key = r->id;
    r->body = r->json;
}

void testkit_set_deliver_ms(testkit *k, uint32_t ms)
{
    k->deliver_ms = ms;
}

int32_t testkit_deliver(testkit *k)
{
    if (!k->instance || !k->plugin->module)
        return SS_FATAL;
    for (uint32_t i = 0; i < k->result_count; i++)
        text_free(k->results[i].of_header.text);
    free(k->results);
    k->results = kit_alloc((k->record_count + 1) * sizeof *k->results);
    k->result_count = k->record_count;
    ss_batch batch = {.struct_size = sizeof batch,
                      .record_size = sizeof *k->records,
                      .count = k->record_count,
                      .records = &k->records->of_header,
                      .from = k->record_count ? k->records[0].of_header.seq - 1 : k->next_seq,
                      .through = k->next_seq,
                      .deadline_us =
                          kit_now_us(k) + (int64_t)(k->deliver_ms ? k->deliver_ms : DELIVER_MS) * 1000};
    batch.batch_id = batch.from;
    k->result = (ss_result){.struct_size = sizeof k->result,
                            .record_size = sizeof *k->results,
                            .count = k->result_count,
                            .records = &k->results->of_header};
    k->error = (ss_error){.struct_size = sizeof k->error};
    testkit *outer = kit_enter(k);
    int32_t status = k->plugin->module->deliver(k->instance, &batch, &k->result, &k->error);
    (void)kit_enter(outer);
    for (uint32_t i = 0; status == SS_OK && i < k->result_count; i++)
        if (k->results[i].of_header.status == SS_RECORD_UNSET) {
            kit_problem(k, "deliver() returned SS_OK without a word about record %u", i);
            break; /* one example says it */
        }
    return status;
}

int32_t testkit_flush(testkit *k)
{
    if (!k->instance || !k->plugin->module || !k->plugin->module->flush)
        return SS_DECLINE;
    k->error = (ss_error){.struct_size = sizeof k->error};
    testkit *outer = kit_enter(k);
    int32_t status =
        k->plugin->module->flush(k->instance, kit_now_us(k) + (int64_t)DELIVER_MS * 1000, &k->error);
    (void)kit_enter(outer);
    return status;
}

uint32_t testkit_record_status(testkit *k, uint32_t i)
{
    return i < k->result_count ? k->results[i].of_header.status : SS_RECORD_UNSET;
}

const char *testkit_record_text(testkit *k, uint32_t i)
{
    return i < k->result_count && k->results[i].of_header.text.ptr ? k->results[i].of_header.text.ptr : "";
}

int64_t testkit_retry_after_ms(testkit *k)
{
    return k->result.retry_after_ms;
}

size_t testkit_commit_count(testkit *k)
{
    return k->commits.count;
}

uint64_t testkit_commit_seq(testkit *k, size_t i)
{
    return i < k->commits.count ? (uint64_t)k->commits.items[i].number : 0;
}

const char *testkit_commit_state(testkit *k, size_t i, size_t *len)
{
    if (len)
        *len = i < k->commits.count ? k->commits.items[i].len : 0;
    return kit_at(&k->commits, i);
}
