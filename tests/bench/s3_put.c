/* How fast the AWS client puts objects: so many, so many at once, signed, the hash known (sealing computes
   it).

     build/bench/s3_put ENDPOINT FILE COUNT DEPTH       prints JSON */
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "plugins/common/aws/aws.h"

#define HASH SS_LIT("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")

static double now_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_s(void)
{
    struct rusage u;
    (void)getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static bool put(aws_client *c, long number, ss_str body)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/put/%ld", number);
    const ss_pair type = {SS_LIT("content-type"), SS_LIT("application/gzip")};
    const aws_request r = {.service = AWS_S3,
                           .method = SS_LIT("PUT"),
                           .path = ss_cstr(path),
                           .body = body,
                           .headers = &type,
                           .header_count = 1,
                           .payload_hash = HASH};
    return aws_start(c, &r) != NULL;
}

static bool collect(aws_client *c, long *done)
{
    bool good = true;
    (void)aws_poll(c, 1000);
    for (aws_call *call; (call = aws_done(c)) != NULL; (*done)++) {
        const aws_reply *r = aws_reply_of(call);
        if (r->result != AWS_OK)
            (void)fprintf(stderr, "%s\n", r->text);
        good &= r->result == AWS_OK;
        aws_call_free(call);
    }
    return good;
}

static char *read_file(const char *path, size_t *len)
{
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END) != 0)
        return NULL;
    *len = (size_t)ftell(f);
    rewind(f);
    char *text = malloc(*len);
    bool good = text && fread(text, 1, *len, f) == *len;
    (void)fclose(f);
    return good ? text : NULL;
}

int main(int argc, char **argv)
{
    ss_error err = {.struct_size = sizeof err};
    size_t len = 0;
    char *body = argc == 5 ? read_file(argv[2], &len) : NULL;
    const aws_settings settings = {.region = SS_LIT("us-east-1"),
                                   .endpoint = ss_cstr(argc > 1 ? argv[1] : "")};
    aws_client *c = body ? aws_client_new(&settings, &err) : NULL;
    if (!c)
        return fprintf(stderr, "s3_put ENDPOINT FILE COUNT DEPTH; %s\n", err.text), 2;
    long count = strtol(argv[3], NULL, 10), depth = strtol(argv[4], NULL, 10), sent = 0, done = 0;
    double start_s = now_s(), cpu = cpu_s();
    bool good = true;
    while (good && done < count) {
        while (good && sent < count && sent - done < depth)
            good = put(c, sent++, ss_s(body, len));
        good = good && collect(c, &done);
    }
    double seconds = now_s() - start_s;
    (void)printf("{\"mb_per_s\": %.1f, \"cpu_us\": %.2f}\n", (double)len * (double)count / seconds / 1e6,
                 (cpu_s() - cpu) * 1e6 / (double)count);
    aws_client_free(c);
    free(body);
    return good ? 0 : 1;
}
