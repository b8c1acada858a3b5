/* A scenario again and again, each time with another call failing. */
#include "plugins/sdk/testkit/inside.h"

#define TORTURE_CALLS_MAX 100000u /* of one kind: a scenario that never ends is a bug of its own */

static _Thread_local testkit *inside; /* whose plugin this thread runs */

testkit *kit_enter(testkit *k)
{
    testkit *outer = inside;
    inside = k;
    return outer;
}

bool kit_alloc_fails(void)
{
    return inside && kit_fault(inside, TESTKIT_ALLOC);
}

/* One run; true: that call was reached, and there may be one more. */
static bool run_once(const ss_plugin *plugin, const char *options, void (*scenario)(testkit *k),
                     enum testkit_fault what, uint32_t nth, char *problem, size_t size)
{
    static const char *const names[] = {"",           "mem()",        "event_new()",  "emit()",
                                        "commit()",   "call_begin()", "state_file()", "secret()",
                                        "a metric()", "an allocation"};
    testkit *k = testkit_new_failing(plugin, options, what, nth);
    if (k->instance)
        scenario(k);
    bool reached = k->fail_at[what] == 0 && nth > 0;
    if (k->problems.count > 0 && nth > 0)
        (void)snprintf(problem, size, "%s number %u fails: %s", names[what], nth, testkit_problems(k));
    else if (k->problems.count > 0)
        (void)snprintf(problem, size, "nothing fails: %s", testkit_problems(k));
    else if (!k->instance && nth == 0)
        (void)snprintf(problem, size, "create() fails where nothing else does: %s", testkit_error(k));
    testkit_free(k);
    return reached;
}

const char *testkit_torture(const ss_plugin *plugin, const char *options_json, void (*scenario)(testkit *k))
{
    static _Thread_local char problem[512];
    problem[0] = '\0';
    (void)run_once(plugin, options_json, scenario, TESTKIT_MEM, 0, problem, sizeof problem);
    for (uint32_t what = TESTKIT_MEM; what < TESTKIT_FAULTS; what++)
        for (uint32_t nth = 1; nth <= TORTURE_CALLS_MAX && !problem[0]; nth++)
            if (!run_once(plugin, options_json, scenario, (enum testkit_fault)what, nth, problem,
                          sizeof problem))
                break;
    return problem;
}

bool testkit_same(const char *file, int line, const char *got, const char *want)
{
    if (got == want || (got && want && strcmp(got, want) == 0))
        return true;
    (void)printf("%s:%d: got %s, want %s\n", file, line, got ? got : "NULL", want ? want : "NULL");
    return false;
}
