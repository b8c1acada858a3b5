/* Ingest with the matomo receiver in a child process, driven over one connection: what instructions.py counts
   under valgrind. usage: drive get|bulk FILE PLUGIN.so COUNT (get: a query a line; bulk: a body) */
#include "tests/unit/ingest_fixture.h"

#define INPUT_MAX ((size_t)8 << 20)

static char input[INPUT_MAX], request[INPUT_MAX];

static size_t read_input(const char *path)
{
    FILE *file = fopen(path, "rb");
    size_t len = file ? fread(input, 1, INPUT_MAX / 2, file) : 0;
    if (file)
        (void)fclose(file);
    return len;
}

static char *blob_make(const fixture *f, const char *plugin)
{
    char *text = NULL;
    if (asprintf(&text,
                 "{\"role\":\"ingest\",\"data_dir\":\"%s\",\"server\":{\"loops\":1,\"log_level\":\"error\","
                 "\"journal\":{\"segment_bytes\":67108864,\"max_bytes\":0,\"retain_ms\":0,"
                 "\"queue_bytes\":16777216,\"sync_delay_us\":0,\"window_us\":0}},"
                 "\"listeners\":[{\"name\":\"public\",\"address\":\"x\",\"admin\":false},"
                 "{\"name\":\"admin\",\"address\":\"x\",\"admin\":true}],"
                 "\"receivers\":[{\"name\":\"matomo\",\"use\":\"matomo\",\"path\":\"%s\",\"options\":"
                 "{\"require_rec\":true,\"cdt_auth_after\":86400000,\"max_bulk_items\":20000}}]}",
                 f->dir, plugin) < 0)
        abort();
    return text;
}

static const char browser[] =
    "Host: t\r\nReferer: https://shop.example.org/catalogue/shoes?page=2\r\nUser-Agent: Mozilla/5.0 (X11; "
    "Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36\r\n";

static size_t next_get(char **line)
{
    char *end = strchr(*line, '\n');
    int len = snprintf(request, sizeof request, "GET /matomo.php?%.*s HTTP/1.1\r\n%s\r\n",
                       (int)(end ? end - *line : 0), *line, browser);
    *line = end && end[1] ? end + 1 : input;
    return (size_t)len;
}

static size_t next_bulk(size_t body_len)
{
    int len = snprintf(request, sizeof request,
                       "POST /matomo.php HTTP/1.1\r\n%sContent-Type: application/json\r\nContent-Length: %zu"
                       "\r\n\r\n",
                       browser, body_len);
    memcpy(request + len, input, body_len);
    return (size_t)len + body_len;
}

int main(int argc, char **argv)
{
    fixture f;
    if (argc != 5)
        return 2;
    bool bulk = strcmp(argv[1], "bulk") == 0;
    size_t len = read_input(argv[2]);
    fixture_place(&f);
    char *blob = blob_make(&f, argv[3]), *line = input;
    bool good = len > 0 && fixture_launch(&f, blob);
    int fd = good ? client_open(f.port) : -1;
    for (int left = atoi(argv[4]); good && left > 0; left--) {
        client_send(fd, request, bulk ? next_bulk(len) : next_get(&line));
        good = client_read(fd, false).status == 200;
    }
    if (fd >= 0)
        (void)close(fd);
    fixture_end(&f);
    free(blob);
    return good ? 0 : 1;
}
