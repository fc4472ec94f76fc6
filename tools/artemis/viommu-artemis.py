#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""viommu-artemis: between the driver "rest" of Artemis and viommud.
Translates nothing: viommuctl judges Artemis' constraints, which have the form of tmt's.
Source: server/src/tft/artemis/drivers/rest.py of Artemis, commit a462d03."""
import argparse
import base64
import contextlib
import hmac
import http.client
import http.server
import ipaddress
import json
import os
import re
import socket
import stat
import subprocess
import sys
import threading
import urllib.parse
import uuid
from http import HTTPStatus

# What a client sends is hostile.
BODY_MAX = 64 << 10  # bytes
HEAD_MAX = 16 << 10  # bytes of the lines after the first, which has 64 KiB at most
LOG_MAX = 2000  # characters
STRANGERS_MAX = 64  # connections without a whole request
PLACES = 8  # requests at work
PLACE_SECONDS = 30  # until a request gets a place; Artemis gives up after 60
QUIET_SECONDS = 10  # until a client sends the next bytes, or has taken the answer
CALL_SECONDS = 45  # of one viommuctl

# Artemis names guests by UUIDs, and the machine of a guest is POOL-UUID.
GUEST_NAME = re.compile("(?=.{1,36}$)[0-9a-f]+(-[0-9a-f]+)*")
POOL = re.compile("[a-z0-9]{1,16}")
IMAGE = re.compile("[A-Za-z0-9_+][A-Za-z0-9._+-]{0,63}")

# Exit statuses of viommuctl.
REFUSED = 4
EXISTS = 5
NOT_FOUND = 6


def log(text):
    """One line, whatever a client has put into it."""
    sys.stderr.write(text[:LOG_MAX].encode("unicode_escape").decode() + "\n")


class Refused(Exception):
    """status: of HTTP."""

    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


class Failed(Exception):
    """status: of viommuctl; None: it is not the one that failed."""

    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


class Pool:
    """The guests of one pool of Artemis on this host."""

    def __init__(self, options):
        self.command = ["viommuctl", *([f"--{options.connection}"] if options.connection else [])]
        self.name = options.pool
        self.images = dict(options.image)
        self.most = options.guests
        self.lease = options.lease
        self.network = [f"networks.0.type={options.network[0]}", f"networks.0.source={options.network[1]}"]
        self.seed = ["seed.user=root", *(f"seed.ssh-keys={key}" for key in options.keys)]
        self.lock = threading.Lock()
        self.launching = []  # the names

    def machine_of(self, guest_name):
        return f"{self.name}-{guest_name}"

    def is_guest(self, name):
        pool, _, guest_name = name.partition("-")
        return pool == self.name and GUEST_NAME.fullmatch(guest_name) is not None

    def _call(self, *words, text=""):
        try:
            done = subprocess.run([*self.command, *words], input=text.encode(), capture_output=True,
                                  timeout=CALL_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            raise Failed(None, "viommuctl does not end in time") from None
        if done.returncode == 0:
            return done.stdout
        try:
            message = json.loads(done.stdout)["error"]["message"]
        except (ValueError, KeyError, TypeError):
            message = done.stderr.decode(errors="replace").strip()
        raise Failed(done.returncode, message)

    def _json(self, *words, text=""):
        return json.loads(self._call("--json", *words, text=text) or b"null")

    def _request(self, environment):
        """The words of a request, and the requirement of --tmt."""
        hardware = _dictionary(environment, "hw")
        compose = _dictionary(environment, "os").get("compose")
        wanted = [{"arch": hardware["arch"]}] if hardware.get("arch") else []
        if hardware.get("constraints"):
            wanted.append(hardware["constraints"])
        image = self.images.get(compose, compose) if isinstance(compose, str) else ""
        if not IMAGE.fullmatch(image or ""):
            raise Failed(None, "os.compose of the environment names no image; see --image")
        return ["--tmt=-", f"image={image}", *self.network, *self.seed], json.dumps({"and": wanted} if wanted else {})

    def _show(self, guest):
        """Another user may take the name of a guest that is gone."""
        try:
            machine = self._json("show", guest)
        except Failed as failed:
            raise Failed(NOT_FOUND if failed.status == REFUSED else failed.status, str(failed)) from None
        if machine["Owner"] != os.getuid():
            raise Failed(NOT_FOUND, f"machine '{guest}' belongs to another user")
        return machine

    def _is_ours(self, name):
        try:
            return self.is_guest(name) and self._show(name) is not None
        except Failed as failed:
            if failed.status != NOT_FOUND:
                raise
            return False

    def guests(self):
        return {machine["name"] for machine in self._json("list") if self._is_ours(machine["name"])}

    @contextlib.contextmanager
    def _admitted(self, guest):
        """Launches run side by side; each counts those that began before it."""
        with self.lock:
            before = set(self.launching)
            self.launching.append(guest)
        try:
            if len((self.guests() | before) - {guest}) >= self.most:
                raise Failed(None, self._full())
            yield
        finally:
            with self.lock:
                self.launching.remove(guest)

    def _full(self):
        return f"all {self.most} guests of this pool are in use"

    def can_acquire(self, environment):
        try:
            words, text = self._request(environment)
            if len(self.guests()) >= self.most:
                return self._full()
            self._json("plan", *words, text=text)
        except Failed as failed:
            return str(failed)
        return None

    def acquire(self, environment, guest):
        """Asked again, as after a lost answer, tells of the guest that is there."""
        try:
            words, text = self._request(environment)
            with self._admitted(guest):
                self._json("launch", *words, f"--name={guest}", f"--lease={self.lease}", "--wait=planned", text=text)
        except Failed as failed:
            if failed.status != EXISTS:
                log(f"{guest}: {failed}")
        return self.state(guest)

    def state(self, guest):
        try:
            machine = self._show(guest)
        except Failed as failed:
            if failed.status != NOT_FOUND:
                raise
            return {"state": "cancel"}
        if machine["State"] in ("failed", "stopped", "stopping"):
            return {"state": "cancel"}
        address = next((each for each in machine["Addresses"] if not each.startswith("fe80:")), None)
        return {"state": "complete" if address else "pending", "address": address}

    def release(self, guest):
        try:
            self._show(guest)
            self._json("kill", guest)
        except Failed as failed:
            if failed.status != NOT_FOUND:
                raise

    def reset(self, guest):
        self._show(guest)
        self._json("reset", guest)

    def console(self, guest):
        self._show(guest)
        return self._call("console", "--log", "--raw", guest)


def _dictionary(tree, key):
    value = tree.get(key) or {}
    if not isinstance(value, dict):
        raise Refused(HTTPStatus.BAD_REQUEST, f"{key} of the environment is not a dictionary")
    return value


def _environment(text):
    try:
        environment = json.loads(text)
    except ValueError:
        raise Refused(HTTPStatus.BAD_REQUEST, "the environment is not JSON") from None
    if not isinstance(environment, dict):
        raise Refused(HTTPStatus.BAD_REQUEST, "the environment is not a dictionary")
    return environment


# --- HTTP ---

class Head:
    """Python's own parser takes 100 lines of 64 KiB, with which 64 clients made it use 2 GB."""

    def __init__(self, file):
        self.file = file
        self.left = HEAD_MAX

    def readline(self, size):
        line = self.file.readline(min(size, self.left + 1))
        self.left -= len(line)
        if self.left < 0:
            raise http.client.LineTooLong("head")
        return line


class Handler(http.server.BaseHTTPRequestHandler):
    timeout = QUIET_SECONDS
    server_version = "viommu-artemis"
    sys_version = ""

    def parse_request(self):
        whole, self.rfile = self.rfile, Head(self.rfile)
        try:
            return super().parse_request()
        finally:
            self.rfile = whole

    def do_GET(self):
        self._serve(self.GET)

    def do_POST(self):
        self._serve(self.POST)

    def do_DELETE(self):
        self._serve(self.DELETE)

    def _serve(self, routes):
        try:
            self._check_password()
            # The driver also sends a body with GET.
            self.body = self._read_body()
            with self.server.place(self.connection):
                answer = self._route(routes)
        except Refused as refused:
            answer = refused.status, {"reason": str(refused)}
        except Failed as failed:
            status = HTTPStatus.NOT_FOUND if failed.status == NOT_FOUND else HTTPStatus.BAD_GATEWAY
            answer = status, {"reason": str(failed)}
        except RecursionError:
            answer = HTTPStatus.BAD_REQUEST, {"reason": "the environment is nested too deeply"}
        self._answer(*answer)

    def _route(self, routes):
        path, _, self.query = self.path.partition("?")
        for pattern, function in routes.items():
            match = re.fullmatch(pattern, path)
            if match and all(self.server.pool.is_guest(guest) for guest in match.groups()):
                return function(self, *match.groups())
        raise Refused(HTTPStatus.NOT_FOUND, "there is no such resource")

    def log_message(self, format, *arguments):
        log(f"{self.client_address[0]}: {format % arguments}")

    def _check_password(self):
        kind, _, coded = self.headers.get("Authorization", "").partition(" ")
        try:
            given = base64.b64decode(coded, validate=True).partition(b":")[2] if kind == "Basic" else b""
        except ValueError:
            given = b""
        if not hmac.compare_digest(given, self.server.password):
            raise Refused(HTTPStatus.UNAUTHORIZED, "the password is missing or wrong")

    def _read_body(self):
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not re.fullmatch("[0-9]{1,9}", length):
            raise Refused(HTTPStatus.LENGTH_REQUIRED, "the length of the body is missing")
        if int(length) > BODY_MAX:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is larger than {BODY_MAX} bytes")
        return self.rfile.read(int(length))

    def _answer(self, status, body):
        """A body of None is empty, of bytes text, else JSON."""
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8" if isinstance(body, bytes) else "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("X-Content-Type-Options", "nosniff")
        if status == HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", 'Basic realm="viommu-artemis"')
        self.end_headers()
        self.wfile.write(data)

    def _can_acquire(self):
        try:
            coded = urllib.parse.parse_qs(self.query, max_num_fields=4).get("environment", [""])[0]
            text = base64.b64decode(coded, validate=True)
        except ValueError:
            raise Refused(HTTPStatus.BAD_REQUEST, "the environment is not coded in base64") from None
        reason = self.server.pool.can_acquire(_environment(text))
        return HTTPStatus.OK, {"result": reason is None, "reason": reason}

    def _acquire(self):
        name = self.headers.get("Artemis-guestname", "")
        guest = self.server.pool.machine_of(name if GUEST_NAME.fullmatch(name) else uuid.uuid4())
        environment = _dictionary(_environment(self.body), "environment")
        return HTTPStatus.OK, {"guest_id": guest, **self.server.pool.acquire(environment, guest)}

    def _state(self, guest):
        return HTTPStatus.OK, self.server.pool.state(guest)

    def _release(self, guest):
        self.server.pool.release(guest)
        return HTTPStatus.OK, None

    def _reset(self, guest):
        self.server.pool.reset(guest)
        return HTTPStatus.OK, None

    def _metrics(self):
        return HTTPStatus.OK, {"usage": {"instances": len(self.server.pool.guests()), "cores": 0, "memory": 0},
                               "limits": {"instances": self.server.pool.most, "cores": 0, "memory": 0}}

    def _console(self, guest):
        return HTTPStatus.OK, self.server.pool.console(guest)

    GET = {
        "/guests": _can_acquire,
        "/guests/([a-z0-9-]+)": _state,
        "/pool_resources_metrics": _metrics,
        "/getlog/([a-z0-9-]+)/console": _console,
    }
    POST = {
        "/guests": _acquire,
        "/guests/([a-z0-9-]+)/reboot": _reset,
    }
    DELETE = {
        "/guests/([a-z0-9-]+)": _release,
    }


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address, pool, password):
        self.address_family = socket.AF_INET6 if address[0].version == 6 else socket.AF_INET
        self.pool = pool
        self.password = password
        self.lock = threading.Lock()
        self.strangers = {}  # the oldest comes first
        self.places = threading.BoundedSemaphore(PLACES)
        super().__init__((str(address[0]), address[1]), Handler)

    def process_request(self, request, client_address):
        """Those who say nothing make room for those who do: a whole request arrives at once."""
        with self.lock:
            if len(self.strangers) >= STRANGERS_MAX:
                oldest = next(iter(self.strangers))
                del self.strangers[oldest]
                with contextlib.suppress(OSError):
                    oldest.shutdown(socket.SHUT_RDWR)
            self.strangers[request] = True
        super().process_request(request, client_address)

    def process_request_thread(self, request, client_address):
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._welcome(request)

    def _welcome(self, request):
        with self.lock:
            self.strangers.pop(request, None)

    @contextlib.contextmanager
    def place(self, request):
        """For a request that is whole, and has the password."""
        self._welcome(request)
        if not self.places.acquire(timeout=PLACE_SECONDS):
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "too many requests are at work")
        try:
            yield
        finally:
            self.places.release()

    def handle_error(self, request, client_address):
        log(f"{client_address[0]}: {sys.exc_info()[1]!r}")


# --- The command line ---

def _pair(text):
    name, separator, value = text.partition("=")
    if not (name and separator and value):
        raise argparse.ArgumentTypeError(f"'{text}' is not NAME=VALUE")
    return name, value


def _network(text):
    kind, value = _pair(text)
    if kind not in ("network", "bridge"):
        raise argparse.ArgumentTypeError("the guests need addresses: use network=NAME or bridge=NAME")
    return kind, value


def _pool(text):
    if not POOL.fullmatch(text):
        raise argparse.ArgumentTypeError("use small letters and digits, at most 16")
    return text


def _number(text):
    if not re.fullmatch("[1-9][0-9]{0,8}", text):
        raise argparse.ArgumentTypeError(f"'{text}' is not a number above 0")
    return int(text)


def _address(text):
    host, _, port = text.rpartition(":")
    try:
        address, port = ipaddress.ip_address(host.strip("[]")), int(port)
    except ValueError:
        port = -1
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError(f"'{text}' is not ADDRESS:PORT")
    return address, port


def _lines(path):
    try:
        with open(path, encoding="utf-8") as file:
            lines = [line.strip() for line in file if line.strip()]
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"cannot read {path}: {error}") from None
    if not lines:
        raise argparse.ArgumentTypeError(f"{path} is empty")
    return lines


def _keys(path):
    keys = [line for line in _lines(path) if not line.startswith("#")]
    if not keys:
        raise argparse.ArgumentTypeError(f"{path} has no key")
    return keys


def _password(path):
    lines = _lines(path)
    if os.stat(path).st_mode & stat.S_IROTH:
        raise argparse.ArgumentTypeError(f"every user can read {path}: chmod o= {path}")
    return lines[0].encode()


def _options():
    parser = argparse.ArgumentParser(prog="viommu-artemis", fromfile_prefix_chars="@",
                                     description="Guests of viommud for the driver 'rest' of Artemis. @FILE has options, one a line.")
    parser.convert_arg_line_to_args = lambda line: [line] if line.strip() and not line.startswith("#") else []
    parser.add_argument("--network", type=_network, required=True, metavar="network=NAME|bridge=NAME",
                        help="the network of the guests, in which Artemis reaches them")
    parser.add_argument("--keys", type=_keys, required=True, metavar="FILE", help="public SSH keys of Artemis, one a line")
    parser.add_argument("--password", type=_password, required=True, metavar="FILE",
                        help="clients must give the first line of this file, as in http://USER:PASSWORD@...")
    parser.add_argument("--image", type=_pair, action="append", default=[], metavar="COMPOSE=NAME",
                        help="the image of a compose; without, the image has the name of the compose")
    parser.add_argument("--guests", type=_number, default=4, metavar="NUMBER", help="how many may exist at once (4)")
    parser.add_argument("--lease", type=_number, default=86400, metavar="SECONDS", help="when a guest is removed at the latest (86400)")
    parser.add_argument("--pool", type=_pool, default="artemis", metavar="NAME",
                        help="the first part of the machines' names (artemis); each pool of this host needs its own")
    parser.add_argument("--listen", type=_address, default="127.0.0.1:8009", metavar="ADDRESS:PORT", help="(127.0.0.1:8009)")
    parser.add_argument("--connection", choices=("session", "system"), help="the viommud of your session, or of the system")
    options = parser.parse_args()
    if options.connection:
        options.connection = {"session": "user", "system": "system"}[options.connection]
    return options


def main():
    options = _options()
    try:
        server = Server(options.listen, Pool(options), options.password)
    except OSError as error:
        sys.exit(f"viommu-artemis: cannot listen at {options.listen[0]} port {options.listen[1]}: {error.strerror}")
    host, port = server.socket.getsockname()[:2]
    log(f"listening at {host} port {port}")
    server.serve_forever()


if __name__ == "__main__":
    main()
