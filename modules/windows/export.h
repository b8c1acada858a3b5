/* The metrics as a job of Flink SQL, for `streamsteam windows export`. Text out, nothing else: no clock, no
   network. docs/windows.md tells what Flink does otherwise; what it cannot say at all is refused with the
   metric's name. */
#ifndef WINDOWS_EXPORT_H
#define WINDOWS_EXPORT_H

#include "modules/windows/windows.h"
#include "plugins/common/windows_ask.h"

/* SS_OK, or SS_REJECT with err. */
int32_t export_flink(const windows *w, const windows_ask *ask, const ss_sink *out, ss_error *err);

#endif
