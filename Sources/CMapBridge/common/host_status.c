/* host_status.c - what mape_status_string answers */
#include "CMapBridge.h"

const char *mapb_status_text(int status) {
    switch (status) {
    case MAPE_OK: return "done";
    case MAPE_E_ARGUMENT: return "an argument is NULL or has a value it may not have";
    case MAPE_E_HANDLE: return "the handle was released, or never was one of that kind";
    case MAPE_E_SIZE: return "struct_size matches no version of the structure";
    case MAPE_E_OVERFLOW: return "a count, size or stride is too large, or a destination too small";
    case MAPE_E_MEMORY: return "out of memory or of reserved address space";
    case MAPE_E_SYSTEM: return "a system call failed";
    case MAPE_E_CLOSED: return "the pool was shut down, or the stream finished";
    case MAPE_E_AGAIN: return "not now: try again later";
    case MAPE_E_TIMEOUT: return "the time was over first";
    case MAPE_E_BUSY: return "already in progress";
    case MAPE_E_FUNCTION: return "no such function, or one that workers cannot reach";
    case MAPE_E_LOAD: return "a library, module or symbol could not be loaded in the workers";
    case MAPE_E_SETUP: return "a setup failed, crashed or ran out of time";
    case MAPE_E_WORKERS: return "the pool failed: its workers or its zygote could not be kept alive";
    case MAPE_E_STATE: return "the call does not fit the object";
    case MAPE_E_INDEX: return "no item, worker or entry with that index";
    case MAPE_E_IN_WORKER: return "in a worker: the handle is its host's, or it may make no more pools";
    case MAPE_E_FORKED: return "in a forked child: the handle is its parent's";
    case MAPE_E_UNSUPPORTED: return "this kernel or machine cannot do it";
    case MAPE_E_INTERRUPTED: return "a signal or mape_pool_interrupt ended the wait";
    default: return "unknown status";
    }
}
