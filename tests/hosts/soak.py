#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""soak: random clients of two users launch, show, extend, verify, stop and kill machines, attach
devices, and some die at it; libvirtd and polkit are restarted, in the second half viommud and the
bus, too.  At the end nothing may be left, and viommud must not have grown.  Run by tests/soak, and
for a minute by tests/run, as root, in the host.
    soak.py SECONDS SEED"""
import collections
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import threading
import time

SECONDS, SEED = int(sys.argv[1]), int(sys.argv[2])
USERS = ("ci", "mate")
CLIENTS = 4
HANGS = 180  # seconds
REST = 20  # seconds
# Exit statuses of viommuctl that tell of the soak itself: a limit, exists, not found, busy, not
# verified, not ready, no bus or viommud, a timeout or libvirt that is restarted.
EXPECTED = {0, 4, 5, 6, 7, 9, 10, 69, 75}
KILLED = -9
# A peak opens more connections to libvirt, which stay; one that libvirtd's end has broken stays
# until it is needed.  Their number is bounded, so a leak exceeds this after many restarts.
MORE_DESCRIPTORS = 24
GROWTH_KIB = 2048  # of viommud, in the second quarter
DIRECTORIES = ("/var/lib/viommu/boot", "/var/lib/viommu/open", "/run/viommud/console")
# How often each is chosen.
ACTIONS = {"launch": 8, "launch-bound": 2, "launch-dies": 2, "run": 2, "list": 4, "show": 4, "plan": 3, "extend": 3, "verify": 2,
           "console": 2, "reset": 2, "suspend": 2, "resume": 4, "attach": 3, "detach": 1, "xml": 2, "stop": 2, "kill": 6}
RESTARTS = ("libvirtd", "polkit")
LATER_RESTARTS = ("viommud", "libvirtd", "polkit", "dbus")


def call(*words, **options):
    return subprocess.run(words, capture_output=True, text=True, timeout=HANGS, check=False, **options)


class Clients:
    def __init__(self):
        self.counts, self.failures, self.lock = collections.Counter(), [], threading.Lock()
        self.over = threading.Event()
        self.number = 0

    def note(self, action, status, words, text):
        with self.lock:
            self.counts[f"{action} {status}"] += 1
            if status not in EXPECTED:
                self.failures.append(f"{' '.join(words)}: status {status}: {text.strip()[-300:]}")

    def new_name(self):
        with self.lock:
            self.number += 1
            return f"soak{self.number}"

    def client(self, user, chance):
        names = []
        while not self.over.is_set():
            action = chance.choices(list(ACTIONS), ACTIONS.values())[0]
            if len(names) > 4:
                action = "kill"
            self.act(user, chance, action, names)

    def act(self, user, chance, action, names):
        viommuctl = ["runuser", "-u", user, "--", "viommuctl", "--system"]
        if action in ("launch", "launch-bound", "launch-dies", "run", "plan"):
            name = self.new_name()
            model = chance.choice(("intel", "none", "any", "virtio"))
            wait = chance.choice(("planned", "started"))
            request = [f"name={name}", "memory=64M", "accelerator=tcg", f"iommu.model={model}"]
            if action == "run":
                words = ["run", *request, "--", "sleep", "1"]
            elif action == "plan":
                words = ["plan", *request]
            else:
                words = ["launch", *request, "hotplug-ports=2", "--lease=600", f"--wait={wait}"]
            if action.startswith("launch-"):
                self.dying_client([*viommuctl, *words, "--bind=client"], chance)
                return
            if action == "launch":
                names.append(name)
        elif action == "list":
            words = ["list", "--json"]
        elif not names:
            return
        else:
            name = chance.choice(names)
            words = {"extend": ["extend", name, "900"], "verify": ["verify", name, "--timeout=1"],
                     "console": ["console", name, "--log"], "attach": ["attach", name, "networks.0.type=user"],
                     "detach": ["detach", name, "network1"]}.get(action, [action, name])
            if action in ("stop", "kill"):
                names.remove(name)
        try:
            done = call(*viommuctl, *words)
            self.note(action, done.returncode, words, done.stderr)
        except subprocess.TimeoutExpired:
            self.note(action, f"none after {HANGS} s", words, "")

    def dying_client(self, words, chance):
        with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            time.sleep(chance.uniform(0, 3))
            call("pkill", "-KILL", "-P", str(process.pid))
            process.kill()
            self.note("launch-dies", 0, words, "")


def pid():
    return int(call("systemctl", "show", "-P", "MainPID", "viommud").stdout)


def kinds():
    """viommud's descriptors by what they are."""
    count = collections.Counter()
    for path in pathlib.Path(f"/proc/{pid()}/fd").iterdir():
        target = os.readlink(path)
        count[re.sub(r":\[\d+\]", "", target)] += 1
    return dict(sorted(count.items()))


def figures():
    """Of viommud: descriptors, threads, children, KiB of its own memory."""
    place = pathlib.Path(f"/proc/{pid()}")
    rollup = (place / "smaps_rollup").read_text().split()
    own = int(rollup[rollup.index("Private_Dirty:") + 1])
    children = call("pgrep", "-P", place.name).stdout.split()
    return {"descriptors": len(list((place / "fd").iterdir())), "threads": len(list((place / "task").iterdir())),
            "children": len(children), "own KiB": own}


def rest_figures(when):
    """When threads and connections that had nothing to do have gone; printed."""
    time.sleep(REST)
    result = figures()
    print(f"# {when} {result}, descriptors are {kinds()}", flush=True)
    return result


def left():
    """What machines leave, by name; none may be there when no machine is."""
    things = call("virsh", "-q", "list", "--all", "--name").stdout.split()
    things += [f"process {line}" for line in call("pgrep", "-a", "qemu-system").stdout.splitlines()]
    for directory in map(pathlib.Path, DIRECTORIES):
        things += [str(path) for path in directory.iterdir()] if directory.exists() else []
    listening = call("ss", "-Hltn").stdout.splitlines()
    return things + [f"port {line.split()[3]}" for line in listening]


def machines():
    done = call("viommuctl", "--system", "--json", "list")
    return [machine["name"] for machine in json.loads(done.stdout or "[]")]


def settle(before):
    """Ends all machines, waits for what they leave to go, and returns what remains."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        for name in machines():
            call("viommuctl", "--system", "kill", name)
        remains = sorted(set(left()) - set(before))
        if not remains and not machines():
            return []
        time.sleep(1)
    return remains + machines()


def use(clients, chance, seconds, restarts):
    """Clients at work for so long, while a service is restarted every ten seconds or so."""
    clients.over.clear()
    threads = [threading.Thread(target=clients.client, args=(USERS[i % len(USERS)], random.Random(chance.random()))) for i in range(CLIENTS)]
    for thread in threads:
        thread.start()
    end, done = time.monotonic() + seconds, collections.Counter()
    while time.monotonic() < end:
        time.sleep(min(chance.uniform(5, 15), max(0, end - time.monotonic())))
        if restarts and time.monotonic() < end:
            service = chance.choice(restarts)
            call("systemctl", "restart", service)
            done[service] += 1
    clients.over.set()
    for thread in threads:
        thread.join()
    return done


class Tap:
    def __init__(self):
        self.number = self.bad = 0

    def check(self, good, what, details=()):
        self.number += 1
        self.bad += not good
        print(f"{'ok' if good else 'not ok'} {self.number} - {what}", flush=True)
        for line in details:
            print(f"# {line}")


def main():
    chance, clients, tap = random.Random(SEED), Clients(), Tap()
    print(f"# seed {SEED}")
    subprocess.run("tests/hosts/install.sh", stdout=subprocess.DEVNULL, check=True)
    call("systemctl", "start", "viommud")
    for user in USERS:
        call("useradd", "--create-home", user)
        call("usermod", "-aG", "viommu", user)
    before = left()
    restarts = use(clients, chance, SECONDS / 8, ())
    tap.check(not (rest := settle(before)), "nothing is left after the first clients", rest)
    # What is opened when it is first needed belongs to the first figures.
    restarts += use(clients, chance, SECONDS / 8, RESTARTS)
    tap.check(not (rest := settle(before)), "nor after restarts of libvirtd and polkit", rest)
    first, process = rest_figures("at first"), pid()
    restarts += use(clients, chance, SECONDS / 4, RESTARTS)
    tap.check(not (rest := settle(before)), "nor after more of them", rest)
    then = rest_figures("then")
    tap.check(pid() == process, "it is the same process")
    for what, more in ("descriptors", MORE_DESCRIPTORS), ("threads", 2), ("children", 0), ("own KiB", GROWTH_KIB):
        tap.check(then[what] <= first[what] + more, f"{what} of viommud: {first[what]}, then {then[what]}")
    restarts += use(clients, chance, SECONDS / 2, LATER_RESTARTS)
    tap.check(not (rest := settle(before)), "nor after restarts of viommud and the bus", rest)
    at_last = rest_figures("at last")
    for what, more in ("descriptors", MORE_DESCRIPTORS), ("threads", 2), ("children", 0):
        tap.check(at_last[what] <= first[what] + more, f"{what} of viommud: {first[what]}, at last {at_last[what]}")
    tap.check(not clients.failures, "each call ended as it may", clients.failures)
    crashed = call("journalctl", "-q", "--no-pager", "-o", "cat", "-u", "viommud", "--grep", "code=dumped|code=killed|code=exited, status=(2|70)").stdout
    tap.check(not crashed, "viommud never failed, but for a lost bus", crashed.splitlines())
    print(f"# restarts {dict(restarts)}")
    print(f"# calls and their statuses {dict(sorted(clients.counts.items()))}")
    print(f"1..{tap.number}")
    return 1 if tap.bad else 0


sys.exit(main())
