/* Replies: equal answers share one response object, so that a GIF costs nothing to build. The key is the
   whole content, never an address: what a plugin hands out may lie anywhere. */
#include <stdlib.h>
#include <time.h>

#include "core/http/internal.h"

void replies_tick(http_replies *c, int64_t now_us)
{
    int64_t second = now_us / 1000000;
    if (second == c->second)
        return;
    c->second = second;
    time_t t = (time_t)second;
    struct tm tm;
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    (void)gmtime_r(&t, &tm);
    (void)snprintf(c->date, sizeof c->date, "%s, %02u %s %04u %02u:%02u:%02u GMT", days[tm.tm_wday],
                   (unsigned)tm.tm_mday % 100u, months[tm.tm_mon], (unsigned)(tm.tm_year + 1900) % 10000u,
                   (unsigned)tm.tm_hour % 100u, (unsigned)tm.tm_min % 100u, (unsigned)tm.tm_sec % 100u);
}

void reply_release(http_reply *reply)
{
    if (!reply || --reply->refs > 0)
        return;
    if (reply->mhd)
        MHD_destroy_response(reply->mhd);
    free(reply);
}

void replies_fini(http_replies *c)
{
    for (size_t i = 0; i < HTTP_CACHED_REPLIES; i++)
        reply_release(c->slots[i]);
    *c = (http_replies){0};
}

static char *put_part(char *at, ss_str part)
{
    uint32_t len = (uint32_t)part.len;
    memcpy(at, &len, sizeof len);
    if (part.len)
        memcpy(at + sizeof len, part.ptr, part.len);
    return at + sizeof len + part.len;
}

/* The content as one run of bytes; 0: larger than what is kept. */
static size_t make_key(const ss_response *r, bool close, char key[HTTP_CACHED_BYTES])
{
    size_t need = 8 + 8 + r->content_type.len + r->body.len;
    for (uint32_t i = 0; i < r->header_count && need <= HTTP_CACHED_BYTES; i++)
        need += 8 + r->headers[i].key.len + r->headers[i].value.len;
    if (need > HTTP_CACHED_BYTES)
        return 0;
    uint32_t fixed[2] = {r->status, close ? 1u : 0u};
    memcpy(key, fixed, sizeof fixed);
    char *at = put_part(put_part(key + sizeof fixed, r->content_type), r->body);
    for (uint32_t i = 0; i < r->header_count; i++)
        at = put_part(put_part(at, r->headers[i].key), r->headers[i].value);
    return (size_t)(at - key);
}

static uint64_t hash_key(const char *key, size_t len)
{
    uint64_t h = len, word;
    for (; len >= sizeof word; key += sizeof word, len -= sizeof word) {
        memcpy(&word, key, sizeof word);
        h = (h ^ word) * 0x9E3779B97F4A7C15u;
        h ^= h >> 29;
    }
    for (; len > 0; key++, len--)
        h = (h ^ (unsigned char)*key) * 0x9E3779B97F4A7C15u;
    return h ^ h >> 32;
}

/* libmicrohttpd wants C strings; it refuses those with line ends in them, which is right. */
static void add_header(struct MHD_Response *mhd, ss_str key, ss_str value)
{
    char name[128], text[1024];
    if (key.len >= sizeof name || value.len >= sizeof text)
        return;
    memcpy(name, key.ptr, key.len);
    name[key.len] = '\0';
    if (value.len)
        memcpy(text, value.ptr, value.len);
    text[value.len] = '\0';
    (void)MHD_add_response_header(mhd, name, text);
}

static http_reply *build(const http_replies *c, const ss_response *r, bool close, const char *key,
                         size_t key_len)
{
    http_reply *reply = malloc(sizeof *reply + key_len);
    if (!reply)
        return NULL;
    *reply =
        (http_reply){.refs = 1, .status = r->status, .close = close, .key_len = key_len, .second = c->second};
    if (key_len)
        memcpy(reply->key, key, key_len);
    /* MUST_COPY: the bytes are copied right here, so the cast away from const is safe */
    reply->mhd = MHD_create_response_from_buffer(
        r->body.len, (void *)(uintptr_t)(r->body.len ? r->body.ptr : ""), MHD_RESPMEM_MUST_COPY);
    if (!reply->mhd) {
        free(reply);
        return NULL;
    }
    (void)MHD_add_response_header(reply->mhd, "Date", c->date);
    if (r->content_type.len)
        add_header(reply->mhd, SS_LIT("Content-Type"), r->content_type);
    for (uint32_t i = 0; i < r->header_count; i++)
        add_header(reply->mhd, r->headers[i].key, r->headers[i].value);
    if (close)
        (void)MHD_add_response_header(reply->mhd, "Connection", "close");
    return reply;
}

/* Large answers are not copied a second time: libmicrohttpd frees the body itself. */
http_reply *replies_own(const http_replies *c, http_answer *answer, bool close)
{
    http_reply *reply = malloc(sizeof *reply);
    if (!reply)
        return NULL;
    *reply = (http_reply){.refs = 1, .status = answer->status, .close = close, .second = c->second};
    bool copy = !answer->body;
    reply->mhd =
        MHD_create_response_from_buffer(copy ? 0 : answer->len, copy ? (void *)(uintptr_t) "" : answer->body,
                                        copy ? MHD_RESPMEM_PERSISTENT : MHD_RESPMEM_MUST_FREE);
    if (!reply->mhd) {
        free(reply);
        return NULL;
    }
    answer->body = NULL;
    (void)MHD_add_response_header(reply->mhd, "Date", c->date);
    if (answer->content_type)
        (void)MHD_add_response_header(reply->mhd, "Content-Type", answer->content_type);
    for (uint32_t i = 0; i < answer->header_count; i++)
        add_header(reply->mhd, answer->headers[i].key, answer->headers[i].value);
    if (close)
        (void)MHD_add_response_header(reply->mhd, "Connection", "close");
    return reply;
}

http_reply *replies_make(http_replies *c, const ss_response *response, bool close)
{
    char key[HTTP_CACHED_BYTES];
    size_t key_len = make_key(response, close, key);
    if (key_len == 0)
        return build(c, response, close, NULL, 0);
    uint64_t hash = hash_key(key, key_len);
    http_reply **slot = &c->slots[hash % HTTP_CACHED_REPLIES];
    http_reply *kept = *slot;
    if (kept && kept->hash == hash && kept->second == c->second && kept->key_len == key_len &&
        memcmp(kept->key, key, key_len) == 0) {
        kept->refs++;
        return kept;
    }
    http_reply *reply = build(c, response, close, key, key_len);
    if (!reply)
        return NULL;
    reply->hash = hash;
    reply->refs++; /* the cache's own */
    reply_release(*slot);
    *slot = reply;
    return reply;
}
