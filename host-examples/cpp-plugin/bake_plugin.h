/* bake_plugin.h - what the host program knows of the plugin
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The host loads libbake_plugin.so with dlopen and asks for the one symbol `bake_plugin`, as a DCC does with its
 * plugins. The host is not linked with MapEngine and does not see its header: pools, jobs and workers are the plugin's
 * affair.
 *
 * All functions are for the thread of the host's main loop. None of them waits for work to be done; `open` builds the
 * acceleration structure before it returns (about a tenth of a second for 70,000 triangles). Those that return int
 * return 0, or -1 with a text in `message`.
 */
#ifndef BAKE_PLUGIN_H
#define BAKE_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BAKE_PLUGIN_VERSION 2

/** Workers, and the mesh that they share. */
typedef struct bake_session bake_session;

/** A triangle mesh; copied by bake_open. */
typedef struct bake_mesh {
    const float *positions;  /**< Three per vertex, y up, standing on y = 0, about 2 wide. */
    const float *normals;    /**< Three per vertex, length 1. */
    uint32_t vertex_count;   /**< Vertices. */
    const uint32_t *indices; /**< Three per triangle. */
    uint32_t triangle_count; /**< Triangles, at least 1. */
} bake_mesh;

/** How to work. */
typedef struct bake_options {
    uint32_t workers; /**< Worker processes; 0: as many as there are cores. */
    uint32_t fork;    /**< 1: workers are a snapshot of the host; 0: clean programs that load the plugin. */
    uint32_t rays;    /**< Per vertex, at least 1. */
    uint32_t crash;   /**< So many vertices kill the worker that gets them. At most vertex_count. */
    const char
        *cluster; /**< The URL of a server: nodes that are connected to it work as well. NULL: this machine alone. */
    uint32_t only_nodes; /**< 1: with a cluster, there are no workers here. */
} bake_options;

/** What a session is doing. */
enum bake_phase {
    BAKE_STARTING = 0,  /**< Workers are being started. */
    BAKE_IDLE = 1,      /**< Workers wait for work. */
    BAKE_WORKING = 2,   /**< start_bake or start_render is under way. */
    BAKE_DONE = 3,      /**< It is finished; the session can be given the next. */
    BAKE_CANCELLED = 4, /**< It was ended by `cancel`. */
    BAKE_FAILED = 5     /**< It cannot go on; `message` says why. */
};

/** How a session stands. */
typedef struct bake_status {
    uint32_t phase;     /**< An enum bake_phase. */
    uint32_t workers;   /**< Worker processes. */
    double fraction;    /**< Of the present work, 0 to 1. */
    uint64_t done;      /**< Items that have ended, in whatever way: vertices and floor points, or rows. */
    uint64_t ok;        /**< Items that have a result. */
    uint64_t total;     /**< Items in all. */
    uint64_t crashed;   /**< Items whose worker died. */
    int64_t elapsed_ns; /**< Since the work was given; stands still at its end. */
    uint64_t rays;      /**< Rays that the finished bake has traced. */
    uint64_t processes; /**< Worker processes started so far, replacements included. */
    uint32_t nodes;     /**< Other machines that are there. */
} bake_status;

/** A vertex that has no result because its worker died. */
typedef struct bake_casualty {
    uint32_t vertex;  /**< Which. */
    int32_t signal;   /**< The signal that ended the worker, or 0 when it ended otherwise. */
    const char *text; /**< The engine's words. */
} bake_casualty;

/** The plugin's functions. */
typedef struct bake_plugin_api {
    uint32_t version; /**< BAKE_PLUGIN_VERSION. */

    /** Makes a session and begins to start its workers. On failure *out is NULL and message(NULL) says why. */
    int (*open)(bake_session **out, const bake_mesh *mesh, const bake_options *options);
    /** Ends work and workers, and frees the session. NULL is ignored. */
    void (*close)(bake_session *session);

    /** Bakes the occlusion of every vertex and of the floor. Needs BAKE_IDLE or BAKE_DONE. */
    int (*start_bake)(bake_session *session);
    /** Renders the picture of the finished bake; width and height in pixels. */
    int (*start_render)(bake_session *session, uint32_t width, uint32_t height);
    /** Asks the present work to end; `tick` tells when it has. */
    void (*cancel)(bake_session *session);

    /** A descriptor to poll for reading: when it is readable, tick has something to do. */
    int (*event_fd)(bake_session *session);
    /** Takes in what the workers have sent, for at most about budget_ns, and says how things stand. */
    void (*tick)(bake_session *session, int64_t budget_ns, bake_status *out);

    /** The occlusion of the vertices, then of the floor; valid until the session is closed. */
    const float *(*occlusion)(bake_session *session, size_t *out_count);
    /** The lost vertices, in order; valid until the session is closed. */
    const bake_casualty *(*casualties)(bake_session *session, size_t *out_count);
    /** The finished picture, three bytes per pixel, rows from the top; valid until the session is closed. */
    const uint8_t *(*pixels)(bake_session *session);
    /** What went wrong last, for people. Never NULL. Of a session, or NULL for a failed `open`. */
    const char *(*message)(bake_session *session);
} bake_plugin_api;

/** What the host looks up. The table lives as long as the library is loaded. */
typedef const bake_plugin_api *(*bake_plugin_fn)(void);
const bake_plugin_api *bake_plugin(void);

#ifdef __cplusplus
}
#endif

#endif /* BAKE_PLUGIN_H */
