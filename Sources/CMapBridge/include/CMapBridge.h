/* CMapBridge.h - what Swift cannot say, in one place
 *
 *   mapb_layout.h    the memory that host and workers share, and its atomics
 *   mapb_floating.h  how a thread computes
 *   mapb_forksafe.h  what may be called between fork and the user's function (fork_*.c)
 *   mapb_native.h    typed functions: plans, and calls by them
 *   mapb_host.h      what only the host calls (host*.c)
 *   mapb_wait.h      its threads' lock, sleep and callbacks (host_wait.c, host_mark.c)
 */
#ifndef CMAPBRIDGE_H
#define CMAPBRIDGE_H

#include "../../../include/mapengine.h"
#include "mapb_layout.h"
#include "mapb_forksafe.h"
#include "mapb_native.h"
#include "mapb_host.h"
#include "mapb_wait.h"

#endif
