/* lanes.h - the memory that the engine shares with the helper, and its control socket
 *
 * The layout is the engine's own (mapb_layout.h, mapb_control.h). What stands in the input memory is the host's, but a request that was
 * taken back may lead anywhere by now: so every offset is checked, and what was read counts only if the request still stands afterwards.
 */
#ifndef LANES_H
#define LANES_H

#include "../../../../../Sources/CMapBridge/include/mapb_control.h"
#include "../../../../../Sources/CMapBridge/include/mapb_layout.h"
#include "../../../../../Sources/CMapBridge/include/mapb_native.h"

/** A lane's memory. */
typedef struct lane {
    const uint8_t *input;
    uint64_t input_size;
    uint8_t *output;
    uint64_t output_size;
    int file; /* The output memory's; -1: none is left. */
    uint32_t slot;
    uint64_t taken;    /* Requests that the helper has read. */
    uint64_t answered; /* Replies published. */
    uint64_t hole;     /* The cursors, as a worker has them: */
    uint64_t hole_end;
    uint64_t frontier;
} lane;

/** @return NULL: it cannot be mapped. */
const uint8_t *lanes_map_input(int fd, uint64_t size);
/** Maps a lane's output memory, and says that this lane reads inbox.yield and sleeps. @return 0: it cannot be mapped. */
int lane_open(lane *out, int fd, uint64_t size, const uint8_t *input, uint64_t input_size, uint32_t slot);
void lane_close(lane *lane);
/** The next request. @return 0: there is none. */
int lane_take(lane *lane, mapb_request *out);
/** Requests up to this ticket are to end early. Read after a full fence. */
uint64_t lane_yield(const lane *lane);
/** Whether the job of a request is cancelled. */
int lane_is_cancelled(const lane *lane, uint64_t record);
/** Copies bytes of the input memory. @return 0: they are not all there. */
int lane_read(const lane *lane, uint64_t at, void *out, uint64_t size);
/** Where bytes of the input memory lie; NULL: they are not all there. */
const uint8_t *lane_bytes(const lane *lane, uint64_t at, uint64_t size);
/** Bytes of a text before its NUL; -1: it has none within `most` bytes. */
int64_t lane_text(const lane *lane, uint64_t at, uint64_t most);

/** Begins the reply to the request that is answered next: sets the cursors, and marks it. @return 0: it is to end early, so that the answer
 *  is dropped. */
int lane_begin(lane *lane, const mapb_request *request);
/** Room for results. @return its offset; 0: there is none. */
uint64_t lane_allocate(lane *lane, uint64_t size, uint64_t alignment);
/** Writes to the output memory. @return 0: that lies outside. */
int lane_write(lane *lane, uint64_t at, const void *bytes, uint64_t size);
/** Ends the reply. */
void lane_publish(lane *lane, uint32_t done, uint32_t flags, uint64_t base, uint64_t size, uint64_t table,
                  uint32_t detail);
/** Wakes the host if it waits for this reply. epoch: of the last ring. */
void lane_notify(const lane *lane, int engine_bell, int waiter_bell, uint64_t *epoch);
/** Says how many items of a request have ended on the machine that has it; running ones count as far as they are. */
void lane_progress(lane *lane, uint64_t ticket, double items);
/** Puts a text into the message ring, if there is room; counts it as lost otherwise. */
void lane_message(lane *lane, uint32_t level, const void *text, uint32_t size);

/** An empty message to the host. */
mapb_control lanes_message(uint32_t kind);
void lanes_set_text(mapb_control *message, const char *text);
int lanes_is_helper(void);

#endif
