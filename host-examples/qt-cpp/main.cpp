// main.cpp - options, and Qt's event loop
//
// SPDX-License-Identifier: Apache-2.0
#include "window.h"

#include <QApplication>
#include <QCommandLineParser>

#include <cstdio>

int main(int argc, char **argv) {
    QApplication application(argc, argv);
    QCommandLineParser parser;
    parser.setApplicationDescription("Renders a picture in worker processes, tile by tile.");
    parser.addHelpOption();
    parser.addOptions({
        {"render", "Render at once, and end when the picture is done."},
        {"crash", "This tile kills its worker.", "N", "-1"},
        {"cancel-at", "Cancel after so many tiles.", "N", "-1"},
        {"quit-at", "End the program in the middle, after so many tiles.", "N", "-1"},
        {"idle", "No work: tick for a second, to compare, and end."},
        {"screenshot", "Write a picture of the window at the end.", "FILE"},
    });
    parser.process(application);
    const auto number = [&](const char *name) { return parser.value(name).toInt(); };
    try {
        Window window({number("crash"), number("cancel-at"), number("quit-at"), parser.value("screenshot"),
                       parser.isSet("render")});
        window.show();
        if (parser.isSet("render")) window.toggle();
        if (parser.isSet("idle")) window.end_after(1000);
        return QApplication::exec();
    } catch (const mape::Exception &error) {
        std::fprintf(stderr, "tiles: %s\n", error.what());
        return 1;
    }
}
