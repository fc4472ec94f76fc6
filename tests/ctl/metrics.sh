#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The metrics of a real viommud, on a socket that is passed as systemd passes one: what is told,
# and who is refused.  Prometheus' own parser reads them where it is installed.
#   metrics VIOMMUCTL VIOMMUD
set -u
# shellcheck source=tests/ctl/own-bus.sh
. "$(dirname "$0")/own-bus.sh"
trap 'kill "$daemon" 2>/dev/null; wait; rm -rf "$work"' EXIT

# Opens two ports, writes the number of each to a file, and becomes viommud.
cat >"$work/listen.py" <<'END'
import fcntl, os, socket, sys
listeners = [socket.create_server(("127.0.0.1", 0)) for i in range(2)]
ports = [listener.getsockname()[1] for listener in listeners]
for i, high in enumerate([fcntl.fcntl(listener, fcntl.F_DUPFD_CLOEXEC, 10) for listener in listeners]):
    os.dup2(high, 3 + i)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="2", LISTEN_FDNAMES="metrics:metrics")
for name, port in zip(sys.argv[1:3], ports):
    open(name, "w").write(str(port))
os.execv(sys.argv[3], sys.argv[3:])
END
cat >"$work/client.py" <<'END'
import re, socket, sys, time
where = ("127.0.0.1", int(open(sys.argv[1]).read()))

def connect():
    client = socket.create_connection(where, 10)
    client.settimeout(10)
    return client

def read_all(client):
    answer = b""
    while piece := client.recv(65536):
        answer += piece
    return answer.decode()

def ask(request, pieces=1):
    client = connect()
    step = -(-len(request) // pieces)
    for at in range(0, len(request), step):
        client.sendall(request[at:at + step])
        time.sleep(0.05 if pieces > 1 else 0)
    return read_all(client)

def refused(request, status):
    answer = ask(request)
    assert answer.startswith(f"HTTP/1.1 {status}"), (request[:80], answer)
    head, body = answer.split("\r\n\r\n")
    assert f"Content-Length: {len(body)}\r\n" in head and body.endswith(".\n"), answer

def metrics():
    answer = ask(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n")
    head, text = answer.split("\r\n\r\n")
    assert head.startswith("HTTP/1.1 200 OK\r\n"), head
    assert "Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n" in head + "\r\n", head
    assert f"Content-Length: {len(text)}\r\n" in head + "\r\n", head
    assert text.endswith("\n# EOF\n") and text.count("# EOF") == 1, text
    return text

def values(text):
    found = dict(re.findall(r"^([a-z_]+(?:\{[^}]*\})?) ([0-9.]+)$", text, re.M))
    assert len(found) == len([line for line in text.splitlines() if not line.startswith("#")]), text
    return {name: float(value) for name, value in found.items()}

exec(sys.stdin.read())
END
# client CODE [PORT-FILE]: with the functions above.
python=python3
! /usr/bin/python3 -c 'import prometheus_client.openmetrics.parser' 2>/dev/null || python=/usr/bin/python3
client() { timeout 60 "$python" "$work/client.py" "${2:-$work/port}" <<<"$1"; }

python3 "$work/listen.py" "$work/port" "$work/other-port" "$viommud" --user --connect test:///default 2>>"$work/log" &
daemon=$!
check 'viommud starts' until_true 20 "$ctl" --user list
check 'metrics at rest' client 'found = values(metrics())
assert found["viommud_connected"] == 1 and found["viommud_launches_waiting"] == 0, found
assert found["viommud_used{resource=\"machines\"}"] == 0 and found["viommud_limit{resource=\"machines\"}"] > 0, found
assert not any(name.startswith("viommud_machines{") for name in found), found'
check 'at each address' client 'assert "viommud_connected 1" in metrics()' "$work/other-port"

run 0 'a machine' '' "$ctl" launch name=secret-name arch=x86_64 memory=64M --iommu
run 0 'another one' '' "$ctl" launch name=other arch=x86_64 memory=64M
run 3 'a request that no host can satisfy' '' "$ctl" launch name=bad arch=x86_64 iommu.model=smmuv3
run 5 'a name that is taken' 'exists' "$ctl" launch name=other arch=x86_64 memory=64M
sleep 0.6 # an answer serves for half a second
check 'what was launched and refused' client 'text = metrics()
found = values(text)
assert found["viommud_machines{model=\"intel\",state=\"running\"}"] == 1, text
assert found["viommud_machines{model=\"none\",state=\"running\"}"] == 1, text
assert found["viommud_launches_total{result=\"Started\"}"] == 2, text
assert found["viommud_launches_total{result=\"NotSupported\"}"] == 1, text
assert found["viommud_launches_total{result=\"Exists\"}"] == 1, text
assert found["viommud_refusals_total{rule=\"arch\"}"] == 1, text
assert found["viommud_used{resource=\"memory\"}"] == 128 << 20, text
for step in "open", "probe", "plan", "define", "prepare", "start", "mark":
    assert found["viommud_launch_step_seconds_count{step=\"%s\"}" % step] >= 2, text
    assert found["viommud_launch_step_seconds_bucket{step=\"%s\",le=\"+Inf\"}" % step] >= 2, text
assert "secret-name" not in text and "other" not in text, text' 2>/dev/null
if "$python" -c 'import prometheus_client.openmetrics.parser' 2>/dev/null; then
    check 'the parser of Prometheus reads them' client 'from prometheus_client.openmetrics.parser import text_string_to_metric_families
families = {family.name: family.type for family in text_string_to_metric_families(metrics())}
assert families["viommud_launches"] == "counter" and families["viommud_launch_step_seconds"] == "histogram", families
assert families["viommud_build"] == "info" and families["viommud_machines"] == "gauge", families'
fi

check 'a request in pieces' client 'assert "200 OK" in ask(b"GET /metrics HTTP/1.0\r\nA: b\r\n\r\n", pieces=8)'
check 'another path' client 'refused(b"GET / HTTP/1.1\r\n\r\n", 404)
refused(b"GET /metrics?x=1 HTTP/1.1\r\n\r\n", 404)
refused(b"GET http://localhost/metrics HTTP/1.1\r\n\r\n", 404)'
check 'another method' client 'refused(b"POST /metrics HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 405)
refused(b"HEAD /metrics HTTP/1.1\r\n\r\n", 405)'
check 'what is no HTTP' client 'for request in b"hello\r\n\r\n", b"GET /metrics\r\n\r\n", b"GET  /metrics HTTP/1.1\r\n\r\n", b"GET /metrics HTTP/2.0\r\n\r\n", b"GET /metrics HTTP/1.1 x\r\n\r\n", b"GET /met\0rics HTTP/1.1\r\n\r\n", b"\r\n\r\n":
    refused(request, 400)'
check 'a request that is too large' client 'refused(b"GET /metrics HTTP/1.1\r\nA: ".ljust(4096, b"b"), 431)
# What comes behind is not read, so the answer may be lost with it.
try: assert " 200 " not in ask(b"GET /metrics HTTP/1.1\r\nA: ".ljust(1 << 20, b"b"))
except OSError: pass'
check 'clients that say nothing hold up nobody' client 'silent = [connect() for i in range(40)]
time.sleep(1)
assert "viommud_connected 1" in metrics()
ends = time.monotonic() + 9
for client in silent:
    client.settimeout(max(0.1, ends - time.monotonic()))
    assert client.recv(1) == b"", "a silent client is still connected"'
check 'and viommud keeps no connection' test "$(find "/proc/$daemon/fd" -lname 'socket:*' | wc -l)" -le 12
check 'one that leaves at once' client 'import struct
for i in range(20):
    client = connect()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
    client.close()
assert "viommud_connected 1" in metrics()'
kill "$daemon"
wait "$daemon"
report 'viommud ends as always' $?
finish
