// bake_worker.h - the functions that run in worker processes
//
// SPDX-License-Identifier: Apache-2.0
//
// The plugin gives them to MapEngine as plain pointers. Workers that start clean (MAPE_START_EXEC) load
// libbake_plugin.so and find them by their offset in it.
#pragma once

#include <mapengine.h>

extern "C" {

/// Once per worker: makes the rays that all points share. Its data is a BakeSettings.
int bake_setup(mape_task *task, const void *data, size_t size, void **out_state);

/// Per point: how much of the sky it does not see. Input BakePoint, result float, 0 to 1.
int bake_vertex(mape_task *task, void *state, const void *input, size_t size);

/// Once per worker, at its end.
void bake_cleanup(mape_task *task, void *state);

/// Per row of the picture. Input uint32_t, the row; result its pixels, three bytes each.
int bake_render_row(mape_task *task, void *state, const void *input, size_t size);
}
