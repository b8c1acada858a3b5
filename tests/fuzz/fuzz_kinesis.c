/* Bytes of strangers: packed records, answers of Kinesis, stored positions. The first byte says which. */
// with: receivers/kinesis/place.c receivers/kinesis/family.c receivers/kinesis/list.c
// with: receivers/kinesis/read.c receivers/kinesis/records.c receivers/kinesis/group.c
// libs: -lcurl
#include "plugins/common/aws/aws.h"
#include "tests/unit/kinesis_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void packed(kinesis_fixture *f, ss_str text)
{
    kpl_record r;
    size_t sum = 0;
    if (kpl_start(f->k.kpl, text))
        while (kpl_next(f->k.kpl, &r))
            sum += r.key.len + r.data.len;
    if (sum > text.len * (size_t)KPL_KEYS_MAX)
        abort();
}

/* Whatever the answer holds, what was handed over and the place agree. */
static void records(kinesis_fixture *f, ss_str text)
{
    shard *s = shard_add(&f->k, "x", &(place){.kind = PLACE_HORIZON});
    int32_t rc = records_take(&f->k, s, text, &f->err);
    bool moved = s->now.kind != PLACE_HORIZON;
    if (group_commit(&f->k, &f->err) != SS_OK || (f->said.len > 0 && !moved) ||
        (rc != SS_OK && s->state == SHARD_ENDED))
        abort();
}

static void shards(kinesis_fixture *f, ss_str text)
{
    const aws_reply reply = {.result = AWS_OK, .body = text, .code = "", .request_id = "", .text = ""};
    (void)list_take(&f->k, &reply, &f->err);
    (void)group_commit(&f->k, &f->err);
}

static void position(kinesis_fixture *f, ss_str text)
{
    (void)kinesis_resume(&f->k, text, &f->err);
}

/* The buffers of a record are large: made once. */
static void clear(kinesis_fixture *f)
{
    while (f->k.count)
        kinesis_forget(&f->k, 0);
    f->k.list.count = f->k.next.count = 0;
    f->k.list_token[0] = '\0';
    f->k.fresh = true;
    f->k.group_count = 0;
    grow_clear(&f->said);
    grow_clear(&f->open);
    grow_clear(&f->position);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const what[])(kinesis_fixture *, ss_str) = {packed, records, shards, position};
    static kinesis_fixture f;
    if (!f.k.data)
        kinesis_fixture_init(&f);
    if (size == 0)
        return 0;
    /* A copy of its own, so that a read past its end is seen. */
    char *copy = malloc(size);
    memcpy(copy, data + 1, size - 1);
    what[data[0] % 4](&f, ss_s(copy, size - 1));
    clear(&f);
    free(copy);
    return 0;
}
