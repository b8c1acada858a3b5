/* Mapped files that outlive the process: DIR/NAME.state, one page of header, then the plugin's bytes. */
#ifndef LOADER_HOST_STATE_H
#define LOADER_HOST_STATE_H

#include "plugins/loader/host_base.h"

/* Both with b->lock held or on one thread. */
void *host_state_map(host_base *b, const char *name, size_t size, ss_error *err);
void host_state_unmap(host_base *b);

#endif
