# mape.R - MapEngine for R: C functions over numeric vectors in worker processes, callbacks at the prompt and in Sys.sleep.
#
#     source("mape.R")
#     pool <- mape_pool(workers = 2)
#     cbrt <- mape_function(pool, "libm.so.6", "double cbrt(double x)")
#     mape_map(pool, cbrt, c(1, 8, 27))                                    # 1 2 3; NA where a call failed, or its worker died
#     mape_map_async(pool, cbrt, x, on_item = function(index, ok, value, message) ..., on_done = function(progress) ...)
#
# The compiled part is mape_r.so (mape_r.c), beside this file or where MAPE_R says.
#
# SPDX-License-Identifier: Apache-2.0
dyn.load(Sys.getenv("MAPE_R", "mape_r.so"))

mape_pool <- function(workers = 0) {
    pool <- new.env()
    pool$jobs <- list() # By the number that their events bring along.
    pool$submitted <- 0L
    on_event <- function(job, type, index, ok, value, message, progress) {
        name <- as.character(job)
        callbacks <- pool$jobs[[name]]
        if (type == "item") {
            callbacks$on_item(index, ok, value, message)
        } else {
            pool$jobs[[name]] <- NULL
            callbacks$on_done(progress)
        }
    }
    pool$pointer <- .Call("mape_r_pool", workers, on_event)
    pool
}

mape_start <- function(pool) invisible(.Call("mape_r_start", pool$pointer))

mape_function <- function(pool, library, prototype = NULL, symbol = NULL) {
    .Call("mape_r_function", pool$pointer, library, prototype, symbol)
}

# Returns at once. Callbacks run at the prompt, and while Sys.sleep sleeps.
mape_map_async <- function(pool, fun, x, on_item = function(...) NULL, on_done = function(...) NULL) {
    pool$submitted <- pool$submitted + 1L
    pool$jobs[[as.character(pool$submitted)]] <- list(on_item = on_item, on_done = on_done)
    .Call("mape_r_map", pool$pointer, fun, as.double(x), pool$submitted)
}

# Waits for all results.
mape_map <- function(pool, fun, x) {
    values <- rep(NA_real_, length(x))
    done <- FALSE
    mape_map_async(pool, fun, x, function(index, ok, value, message) values[index] <<- value, function(progress) done <<- TRUE)
    while (!done) Sys.sleep(0.05)
    values
}

mape_cancel <- function(job) invisible(.Call("mape_r_cancel", job))

mape_release <- function(pool) invisible(.Call("mape_r_release", pool$pointer))
