/* The bodies of what setup makes. */
#ifndef OPENSEARCH_SETUP_BODIES_H
#define OPENSEARCH_SETUP_BODIES_H

#include "modules/opensearch/opensearch.h"
#include "plugins/common/sigv4.h"

#define BODY_MAX (4u << 20)

/* Each holds a hash of what it was made of, which is also given out. false: err says which receiver is wrong.
 */
bool setup_template_body(opensearch *o, ss_str receiver, grow *out, char hash[SIGV4_HEX + 1], ss_error *err);
void setup_policy_body(opensearch *o, grow *out, char hash[SIGV4_HEX + 1]);

#endif
