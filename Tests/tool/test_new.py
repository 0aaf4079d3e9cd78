"""`mapengine new plugin`: what it writes builds and runs, by the commands that it prints and that its README shows."""

import os
import re
import shutil
import subprocess

from tool import PATIENCE, PROGRAM, ROOT, good, run, run_all, says

HERE = os.path.dirname(os.path.abspath(__file__))
# Without the variables of the project's own builds; windows need no screen.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")} | {"QT_QPA_PLATFORM": "offscreen"}


def new(host, name, **more):
    return run("new", "plugin", "--host", host, name, **more)


def shell(command, folder="."):
    done = subprocess.run(["bash", "-ec", command], cwd=folder, env=ENVIRONMENT, capture_output=True, timeout=10 * PATIENCE)
    assert done.returncode == 0, f"{command}\n{done.stdout.decode()[-3000:]}{done.stderr.decode()[-3000:]}"
    return done.stdout.decode()


def shown(text):
    """The commands in a text: indented lines."""
    return re.findall(r"^    (.*)$", text, re.M)


def readme(folder):
    with open(os.path.join(folder, "README.md")) as file:
        return shown(file.read())


def has(package):
    return subprocess.run(["pkg-config", "--exists", package]).returncode == 0


def test_a_plugin_in_c_builds_and_runs():
    commands = shown(good(new("c", "waves")).out)
    assert len(commands) == 3, commands
    assert shell("\n".join(commands)).endswith("waves: 1000 items, 0 without a result\n")
    shutil.rmtree("waves/build")
    assert shell("\n".join(readme("waves")), "waves").endswith("waves: 1000 items, 0 without a result\n")
    # It is a plug-in: one symbol.
    symbols = shell("nm -D --defined-only waves/build/waves.so").split("\n")
    assert [line.split()[-1] for line in symbols if line] == ["plugin"], symbols


def test_a_window_of_qt_builds_and_runs():
    if not has("Qt6Widgets"):
        print("there is no Qt 6 here (scripts/setup.sh hosts): what `--host qt` writes was not built")
        return
    good(new("qt", "Ripples"))
    commands = readme("Ripples")
    # The one before the last opens a window, and waits for somebody.
    assert commands[2] == "build/Ripples", commands
    assert shell("\n".join(commands[:2] + commands[3:]), "Ripples").endswith("Ripples: 1000 items, 0 without a result\n")


def test_an_addon_of_blender_builds_and_runs():
    commands = shown(good(new("blender", "Waves")).out)
    assert readme("Waves") == ["make"] and len(commands) == 1, commands
    shell(commands[0])
    shell("rm -r build; make", "Waves")
    shell("python3 -c 'compile(open(\"Waves/__init__.py\").read(), \"__init__.py\", \"exec\")'")
    blender = shutil.which("blender")
    if not blender:
        print("there is no Blender here (scripts/setup.sh blender): the add-on that `--host blender` writes was not run")
        return
    # Debian's Blender takes the first Python in PATH for its own, which may be another that has no NumPy.
    print(
        shell(
            f"HOME=$PWD PATH=/usr/bin:/bin {blender} -b --factory-startup --python-exit-code 3 --python {HERE}/new_addon.py -- $PWD/Waves/build/Waves.zip Waves"
        ).splitlines()[-3]
    )


def test_a_folder_that_is_there_stays_as_it_is():
    os.mkdir("waves")
    says(new("c", "waves"), 73, "cannot make the folder waves: File exists")
    assert os.listdir("waves") == []


def test_names_and_hosts_that_are_none():
    for name in ("", "../waves", "1st", "wa ves", "wa-ves", "w" * 65, "wäves", "$(touch bad)"):
        says(new("c", name), 64, "a name is a letter, then letters, digits and underscores")
    says(new("emacs", "waves"), 64, "emacs")
    assert os.listdir(".") == []


def test_templates_come_with_the_installation():
    shutil.copytree(os.path.join(ROOT, "dist"), "else where", symlinks=True)
    answer = good(new("c", "waves", program="else where/bin/mapengine"))
    assert f"-DCMAKE_PREFIX_PATH={os.path.realpath('else where')}\n" in answer.out, answer
    shutil.rmtree("else where/share/mapengine/templates")
    says(new("c", "other", program="else where/bin/mapengine"), 69, "share/mapengine/templates/c/CMakeLists.txt.in is not there")
    assert not os.path.exists("other") and os.path.exists(PROGRAM)


if __name__ == "__main__":
    run_all(globals())
