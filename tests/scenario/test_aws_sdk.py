#!/usr/bin/env python3
"""The AWS client outside the tree: with installed headers and pkg-config only."""
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.lib import sdk
from tests.lib.server import ROOT
from tests.lib.tap import check, main, test

PLUGIN = r"""
#include <stdlib.h>
%s
static ss_str body_of(queue *q, const ss_batch *batch) { (void)q, (void)batch; return SS_LIT("{}"); }
static void mark_records(ss_result *result, ss_str body) { (void)body; ss_mark_all(result, SS_RECORD_OK); }
%s
static void destroy(void *inst)
{
    queue *q = inst;
    aws_client_free(q->aws);
    free(q);
}
static const ss_module module = {.struct_size = sizeof module, .deliver = deliver};
static const ss_plugin plugin = {SS_PLUGIN_BEGIN(SS_MODULE), .name = "acme_queue", .version = "1", .build_id = "1", .summary = "A queue.",
                                 .license = "MIT", .options = options, .module = &module, .create = create, .destroy = destroy};
SS_PLUGIN(plugin);
"""


@test("the manual's module and its Makefile build against an installed prefix, and the server knows its options", timeout_s=120)
def _(t):
    prefix = sdk.prefix(t)
    manual = (ROOT / "docs" / "aws-client.md").read_text()
    code = re.search(r"```c\n(#include.*?)```", manual, re.S).group(1)
    head, tail = code.split("static const ss_option options", 1)
    folder = t.tmp / "acme_queue"
    folder.mkdir()
    (folder / "acme_queue.c").write_text(PLUGIN % (head, "static const ss_option options" + tail))
    (folder / "Makefile").write_text(re.search(r"```make\n(.*?)```", manual, re.S).group(1))
    said = sdk.run("make", "WERROR=1", cwd=folder, env=sdk.environment(prefix))
    check("warning" not in said, said)
    told = sdk.run(prefix / "bin" / "streamsteam", "explain", folder / "module-acme_queue.so", cwd=folder)
    for option in ("region", "secret_key", "role_arn", "stream"):
        check(option in told, f"{option} is not in: {told}")


if __name__ == "__main__":
    sys.exit(main())
