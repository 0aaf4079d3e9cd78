/* CMapBridge.h - what Swift cannot say, in one place
 *
 *   what they share     mapb_base.h      the mark of what may run after a fork, and the atomics
 *                       mapb_layout.h    the memory that host and workers share; mapb_crash.h: the crash record in it
 *                       mapb_control.h   the messages between host and zygote
 *                       mapb_native.h    typed functions: plans, and calls by them
 *                       mapb_text.h, mapb_floating.h
 *   of the system       mapb_platform.h  by neutral names: linux/ implements them
 *   after the fork      mapb_zygote.h, mapb_worker.h, mapb_task.h (fork_*.c); mapb_offers.h: what a zygote's program brings
 *   in the host         mapb_host.h; mapb_wait.h: its threads' lock, sleep and callbacks (host_*.c)
 */
#ifndef CMAPBRIDGE_H
#define CMAPBRIDGE_H

/* To Swift every structure here is a value like another: to copy it, and to read a number in it, is safe. A pointer that is read
 * from one is as unsafe as ever, and says so where it is used. (Without this the whole structure is, for the sake of one pointer.) */
#pragma clang attribute push(__attribute__((swift_attr("safe"))), apply_to = record)

#include "../../../include/mapengine.h"
#include "mapb_base.h"
#include "mapb_layout.h"
#include "mapb_crash.h"
#include "mapb_control.h"
#include "mapb_platform.h"
#include "mapb_text.h"
#include "mapb_floating.h"
#include "mapb_native.h"
#include "mapb_offers.h"
#include "mapb_zygote.h"
#include "mapb_task.h"
#include "mapb_worker.h"
#include "mapb_host.h"
#include "mapb_wait.h"

#pragma clang attribute pop

#endif
