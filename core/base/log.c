#include "core/base/log.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/clock.h"

#define LOG_LINE_MAX    4096
#define LOG_SECRETS_MAX 64

static const char *const names[] = {"debug", "info", "warning", "error"}; /* by enum ss_level */
static char process_name[64] = "streamsteam";
static int32_t lowest = SS_INFO;
static pthread_mutex_t secrets_lock = PTHREAD_MUTEX_INITIALIZER;
static ss_str secrets[LOG_SECRETS_MAX];
static size_t secret_count;

void log_init(const char *process, int32_t lowest_level)
{
    (void)snprintf(process_name, sizeof process_name, "%s", process);
    lowest = lowest_level;
}

int32_t log_level_named(ss_str name)
{
    for (int32_t i = 0; i < 4; i++)
        if (ss_eq(name, ss_cstr(names[i])))
            return i;
    return SS_INFO;
}

void log_add_secret(ss_str secret)
{
    if (secret.len < 4) /* shorter ones would blank out ordinary words */
        return;
    pthread_mutex_lock(&secrets_lock);
    bool known = false;
    for (size_t i = 0; i < secret_count; i++)
        known |= ss_eq(secrets[i], secret);
    char *copy = !known && secret_count < LOG_SECRETS_MAX ? malloc(secret.len) : NULL;
    if (copy) {
        memcpy(copy, secret.ptr, secret.len);
        secrets[secret_count++] = ss_s(copy, secret.len);
    }
    pthread_mutex_unlock(&secrets_lock);
}

static void redact(char *text)
{
    pthread_mutex_lock(&secrets_lock);
    for (size_t i = 0; i < secret_count; i++) {
        size_t len = strlen(text);
        char *hit;
        while ((hit = memmem(text, len, secrets[i].ptr, secrets[i].len)) != NULL) {
            memmove(hit + 3, hit + secrets[i].len, (size_t)(text + len - hit) - secrets[i].len + 1);
            memcpy(hit, "***", 3);
            len = strlen(text);
        }
    }
    pthread_mutex_unlock(&secrets_lock);
}

/* Appends text as the inside of a JSON string; cuts at size. */
static size_t put_escaped(char *out, size_t at, size_t size, const char *text)
{
    static const char hex[] = "0123456789abcdef";
    for (; *text && at + 7 < size; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            out[at++] = '\\';
            out[at++] = (char)c;
        } else if (c < 0x20) {
            memcpy(out + at, "\\u00", 4);
            out[at + 4] = hex[c >> 4];
            out[at + 5] = hex[c & 15];
            at += 6;
        } else {
            out[at++] = (char)c;
        }
    }
    return at;
}

static void write_line(int32_t level, const char *extra, const char *format, va_list args)
{
    char text[LOG_LINE_MAX / 2], line[LOG_LINE_MAX];
    (void)vsnprintf(text, sizeof text, format, args);
    redact(text);
    int64_t now = clock_now_us();
    time_t seconds = (time_t)(now / 1000000);
    struct tm tm;
    (void)gmtime_r(&seconds, &tm);
    char when[32];
    (void)strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &tm);
    int head = snprintf(line, sizeof line,
                        "{\"time\":\"%s.%03dZ\",\"level\":\"%s\",\"process\":\"%s\",\"pid\":%d,\"msg\":\"",
                        when, (int)(now / 1000 % 1000), names[level & 3], process_name, (int)getpid());
    size_t room = extra ? strlen(extra) + 8 : 8;
    size_t at =
        put_escaped(line, (size_t)head, room < sizeof line / 2 ? sizeof line - room : sizeof line / 2, text);
    at += (size_t)snprintf(line + at, sizeof line - at, "\"%s%.*s}\n", extra ? "," : "",
                           (int)(sizeof line - at - 5), extra ? extra : "");
    ssize_t ignored = write(STDERR_FILENO, line, at);
    (void)ignored; /* nowhere to report that the log itself cannot be written */
}

void log_line(int32_t level, const char *format, ...)
{
    if (level < lowest)
        return;
    va_list args;
    va_start(args, format);
    write_line(level, NULL, format, args);
    va_end(args);
}

void log_with(int32_t level, const char *extra, const char *format, ...)
{
    if (level < lowest)
        return;
    va_list args;
    va_start(args, format);
    write_line(level, extra, format, args);
    va_end(args);
}
