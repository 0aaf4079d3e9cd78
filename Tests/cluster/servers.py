"""Redis servers, certificates and checks for the tests of many machines. A server listens on 127.0.0.1 alone, at a port that was free,
and ends with the test.
"""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time
import traceback

root = pathlib.Path(sys.argv[1])
work = pathlib.Path(sys.argv[2])
tool = str(root / "dist/bin/mapengine-cluster")
# Another server than the system's: other_servers.sh.
server_program = os.environ.get("MAPENGINE_TEST_SERVER") or "redis-server"

passed = 0
failed = 0
tests = []
cleanups = [lambda: Server.stop_all()]


def test(function):
    tests.append(function)
    return function


def main():
    """Runs all tests, or those whose name has the third argument in it; the last line is `N passed, N failed`."""
    global passed, failed
    wanted = sys.argv[3] if len(sys.argv) > 3 else ""
    for function in tests:
        if wanted not in function.__name__:
            continue
        try:
            function()
            print("ok", function.__name__)
            passed += 1
        except NotHere as why:
            print("skipped", function.__name__ + ":", why)
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            why = str(error) or f"{type(error).__name__} {where.line}"
            print(f"FAILED {function.__name__}: {pathlib.Path(where.filename).name}:{where.lineno}: {why or where.line}".replace("\n", "\n    "))
            failed += 1
        finally:
            for cleanup in cleanups:
                cleanup()
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def run(*command, **settings):
    """Runs a program to its end. Returns exit code, and all that it has printed."""
    done = subprocess.run(
        [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, timeout=settings.pop("timeout", 60), **settings)
    return done.returncode, done.stdout


def until(what, seconds, condition):
    """Waits for a condition, which is looked at until the time is over."""
    end = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"after {seconds} s: {what}")
        time.sleep(0.02)


class NotHere(Exception):
    """The server that was named cannot do what the test is about."""


class Server:
    running = []

    def __init__(self, *settings, tls=None, users=None, plain=True):
        self.port = free_port()
        self.folder = work / f"server{self.port}"
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [server_program, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(self.folder), "--daemonize", "no"]
        if tls:
            ca, certificate = tls
            command += ["--port", "0", "--tls-port", str(self.port), "--tls-ca-cert-file", ca, "--tls-cert-file", certificate + ".crt",
                        "--tls-key-file", certificate + ".key", "--tls-auth-clients", "yes"]
        else:
            command += ["--port", str(self.port)]
        if users:
            (self.folder / "users.acl").write_text(users)
            command += ["--aclfile", str(self.folder / "users.acl")]
        self.command = command + list(settings)
        self.process = None
        self.start()

    def start(self):
        with open(self.folder / "log", "a") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        Server.running.append(self)

        def listens():
            if self.process.poll() is not None:
                text = (self.folder / "log").read_text()
                # Some of those that PyPI has are built without TLS; the system's has it.
                if "--tls-port" in self.command and server_program != "redis-server":
                    Server.running.remove(self)
                    raise NotHere(f"no TLS: {text.strip().splitlines()[-1]}")
                raise AssertionError(f"{server_program} has ended: {text[-500:]}")
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return True
            except OSError:
                return False

        until("the server listens", 20, listens)

    def kill(self):
        self.process.kill()
        self.process.wait()
        Server.running.remove(self)

    @staticmethod
    def stop_all():
        for server in list(Server.running):
            server.kill()

    def url(self, scheme="redis", login="", prefix="t", **options):
        query = "&".join(f"{name.replace('_', '-')}={value}" for name, value in options.items())
        return f"{scheme}://{login}127.0.0.1:{self.port}/{prefix}" + ("?" + query if query else "")

    def ask(self, *command):
        code, text = run("redis-cli", "-p", self.port, *command)
        assert code == 0, text
        return text.strip()


class FakeServer:
    """Listens, and does with each connection what it is told."""

    def __init__(self, answer):
        import threading

        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.answer = answer
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        import threading

        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.one, args=(connection,), daemon=True).start()

    def one(self, connection):
        try:
            self.answer(connection)
        except OSError:
            pass
        finally:
            connection.close()

    def url(self, **options):
        return Server.url(self, **options)

    def close(self):
        self.socket.close()


class Certificates:
    """An authority and what it signs, made by openssl."""

    def __init__(self, name):
        self.folder = work / name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.ca = str(self.folder / "ca.crt")
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
                     self.folder / "ca.key", "-out", self.ca, "-days", "30", "-subj", f"/CN={name}")

    @staticmethod
    def openssl(*arguments):
        code, text = run("openssl", *arguments)
        assert code == 0, text

    def sign(self, name, alternative="IP:127.0.0.1,DNS:localhost", days="30", expired=False):
        """Makes NAME.crt and NAME.key, and returns their path without the end."""
        at = self.folder / name
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{at}.key", "-out",
                     f"{at}.csr", "-subj", f"/CN={name}")
        more = self.folder / f"{name}.ext"
        more.write_text(f"subjectAltName={alternative}\n")
        if expired:
            (self.folder / f"{name}.index").write_text("")
            (self.folder / f"{name}.serial").write_text("01\n")
            settings = self.folder / f"{name}.conf"
            settings.write_text(
                f"[ca]\ndefault_ca=x\n[x]\ndatabase={at}.index\nserial={at}.serial\nnew_certs_dir={self.folder}\n"
                f"certificate={self.ca}\nprivate_key={self.folder}/ca.key\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n")
            self.openssl("ca", "-batch", "-config", settings, "-in", f"{at}.csr", "-out", f"{at}.crt", "-extfile", more,
                         "-startdate", "20200101000000Z", "-enddate", "20200201000000Z", "-notext")
        else:
            self.openssl("x509", "-req", "-in", f"{at}.csr", "-CA", self.ca, "-CAkey", self.folder / "ca.key", "-CAcreateserial",
                         "-out", f"{at}.crt", "-days", days, "-extfile", more)
        return str(at)
