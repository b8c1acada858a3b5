/* What answers for AWS clients hold: errors as JSON and XML, credentials, dates. The first byte says which.
 */
// libs: -lcurl
#include "plugins/common/aws/inside.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void errors(ss_str text, const aws_service *service)
{
    const http_reply reply = {.status = 400, .body = text, .headers = text, .problem = ""};
    aws_error e;
    aws_error_read(&e, service, &reply);
    (void)aws_error_inside(service, &reply);
    (void)aws_classify(400, ss_cstr(e.code));
    (void)aws_code_is_about_clock(e.code, e.message);
    for (const char *at = e.message; *at; at++)
        if ((unsigned char)*at < 0x20)
            abort(); /* it goes into a log line */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    aws_keys_found found;
    char text[32];
    if (size == 0)
        return 0;
    char *copy = malloc(size);
    memcpy(copy, data + 1, size - 1);
    ss_str in = ss_s(copy, size - 1);
    memset(&found, 0, sizeof found);
    switch (data[0] % 4) {
    case 0:
        errors(in, AWS_KINESIS);
        break;
    case 1:
        errors(in, AWS_S3);
        break;
    case 2:
        (void)aws_keys_json(in, &found);
        break;
    default:
        (void)aws_http_date(in);
        (void)aws_xml_text(in, "Code", text, sizeof text);
    }
    free(copy);
    return 0;
}
