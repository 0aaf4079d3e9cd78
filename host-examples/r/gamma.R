# gamma.R - a C function over a vector in worker processes: Rscript gamma.R
#
# SPDX-License-Identifier: Apache-2.0
source("mape.R")

pool <- mape_pool(workers = 2)
tgamma <- mape_function(pool, "libm.so.6", "double tgamma(double x)")
x <- seq(0.5, 20, by = 0.25)

values <- mape_map(pool, tgamma, x)
cat("like R's own gamma():", isTRUE(all.equal(values, gamma(x))), "\n")

# The same without waiting: R's loop runs the callbacks, and other handlers, meanwhile.
seen <- 0
finished <- FALSE
job <- mape_map_async(pool, tgamma, x,
    on_item = function(index, ok, value, message) seen <<- seen + 1,
    on_done = function(progress) {
        print(progress)
        finished <<- TRUE
    })
while (!finished) Sys.sleep(0.01)
cat(seen, "callbacks\n")

# A call that kills its worker costs that call alone.
raise <- mape_function(pool, "libc.so.6", "double abs(double x)", "abort")
mape_map_async(pool, raise, 1, on_item = function(index, ok, value, message) cat("ok:", ok, "-", message, "\n"), on_done = function(progress) finished <<- FALSE)
while (finished) Sys.sleep(0.01)
mape_release(pool)
