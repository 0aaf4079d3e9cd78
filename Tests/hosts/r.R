# r.R - R measured, in Sys.sleep: Rscript r.R MODE WORK MAPE.R
#
# R has no timers of its own: what ticks is a loop of Sys.sleep(0.005), within which R runs handlers of descriptors.
#
# SPDX-License-Identifier: Apache-2.0
arguments <- commandArgs(trailingOnly = TRUE)
source(arguments[3])
cat(sprintf("host %s, addInputHandler\n", R.version.string))

count <- 400
half <- 200
crash <- 100
endless <- 390
now <- function() proc.time()[["elapsed"]] * 1e3

measure <- new.env()
measure$ended <- FALSE
measure$gap <- 0
measure$last <- NA

tick <- function() {
    at <- now()
    if (!is.na(measure$last)) measure$gap <- max(measure$gap, at - measure$last)
    measure$last <- at
}

submit <- function(phase) {
    values <- 0:(count - 1)
    if (phase %in% c("cancel", "quit")) values[(endless + 1):count] <- 1e6
    if (phase == "crash") values[crash + 1] <- -1
    measure$seen <- measure$right <- measure$main <- measure$gap <- 0
    measure$last <- NA
    measure$crashed <- ""
    measure$job <- mape_map_async(pool, square, values,
        on_item = function(index, ok, value, message) {
            measure$seen <- measure$seen + 1
            if (basename(Sys.readlink("/proc/thread-self")) == Sys.getpid()) measure$main <- measure$main + 1
            if (ok && value == (index - 1)^2) measure$right <- measure$right + 1
            if (grepl("SIGSEGV", message)) measure$crashed <- sprintf(" item=%d signal=11", as.integer(index - 1))
            if (measure$seen == half && phase == "cancel") mape_cancel(measure$job)
            if (measure$seen == half && phase == "quit") {
                cat("quit in the middle\n")
                measure$ended <- TRUE
            }
        },
        on_done = function(progress) {
            cat(sprintf("%s ok=%d right=%d main=%d failed=%d crashed=%d cancelled=%d gap=%.1f%s\n", phase, as.integer(progress[["ok"]]), as.integer(measure$right),
                as.integer(measure$main), as.integer(progress[["failed"]]), as.integer(progress[["crashed"]]), as.integer(progress[["cancelled"]]), measure$gap, measure$crashed))
            following <- c(map = "cancel", cancel = "crash")[phase]
            if (is.na(following)) measure$ended <- TRUE else submit(following[[1]])
        })
}

began <- now()
if (arguments[1] != "beside") {
    pool <- mape_pool(workers = 2)
    square <- mape_function(pool, arguments[2], symbol = "work_square")
    mape_start(pool)
    submit(if (arguments[1] == "run") "map" else "quit")
}
while (!measure$ended) {
    Sys.sleep(0.005)
    tick()
    if (arguments[1] == "beside" && now() - began >= 1000) {
        cat(sprintf("beside gap=%.1f\n", measure$gap))
        measure$ended <- TRUE
    }
}
if (arguments[1] == "run") mape_release(pool)
