#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# viommuctl top beside a real viommud: in a pipe, as JSON, and on a terminal that it must give back
# as it was.
#   ctl-top VIOMMUCTL VIOMMUD
set -u
# shellcheck source=tests/ctl/own-bus.sh
. "$(dirname "$0")/own-bus.sh"
trap 'kill "$daemon" 2>/dev/null; wait; rm -rf "$work"' EXIT
daemon=''

run 69 'top of nobody' 'neither on the session bus' "$ctl" top
start_viommud
run 0 'without machines' '^Machines: 0 of [0-9]+\. ' "$ctl" top
check 'there is no row' test "$(wc -l <"$work/out")" -eq 3
run 0 'a machine' '' "$ctl" launch name=one arch=x86_64 memory=64M --iommu
run 0 'another one' '' "$ctl" launch name=two arch=x86_64 memory=128M vcpus=2
run 0 'in a pipe, one table' '^NAME +STATE +IOMMU +CPU +RESIDENT +MEMORY +VCPUS +TIME +QUEUE$' "$ctl" top
# The test driver says that each guest takes a whole CPU, and has no QEMU whose memory could be
# read.
check 'with the machine' grep -qE '^one +running +intel +(9[0-9]|10[0-9])% +- +64 MiB +1 +[0-9]+:[0-9]{2} +-$' "$work/out"
check 'and the other one' grep -qE '^two +running +none +(9[0-9]|10[0-9])% +- +128 MiB +2 +' "$work/out"
check 'and what all have' grep -qE '^Machines: 2 of [0-9]+\.  Launches under way: 0 of [0-9]+\.  vCPUs: 3\.  Memory: 192 MiB\.$' "$work/out"
check 'and nothing for terminals' bash -c "! grep -q $'\033' '$work/out'"
run 0 'as JSON' '' "$ctl" top --json
check 'what is known, and null' json '[(m["name"], m["state"], m["model"], m["memory-bytes"], m["vcpus"], m["resident-bytes"], m["queue-position"]) for m in sorted(j["machines"], key=lambda m: m["name"])] == [("one", "running", "intel", 64 << 20, 1, None, 0), ("two", "running", "", 128 << 20, 2, None, 0)]'
check 'the CPU time' json 'all(m["cpu-nsec"] > 0 and 80 < m["cpu-percent"] < 120 for m in j["machines"])'
check 'what is used, and the limits' json 'j["used"]["machines"] == 2 and j["limits"]["machines"] > 2'
if [ -w /dev/full ]; then
    "$ctl" top >/dev/full 2>"$work/err"
    [ $? -eq 74 ]
    report 'output that cannot be written' $?
fi

# On a terminal: each way out, what was shown, and how the terminal is afterwards.
cat >"$work/terminal.py" <<'END'
import fcntl, os, pty, re, select, signal, struct, subprocess, sys, termios, time
ctl, how = sys.argv[1:]
main, other = pty.openpty()
fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 6 if how == "small" else 24, 80, 0, 0))
before = termios.tcgetattr(other)
os.environ["TERM"] = "xterm"
def own_terminal():
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
words = [ctl, "top"] + (["--once"] if how == "once" else [])
child = subprocess.Popen(words, stdin=other, stdout=other, stderr=other, preexec_fn=own_terminal)
shown = b""
def read_until(pattern, seconds=20):
    global shown
    end = time.monotonic() + seconds
    while not re.search(pattern, shown, re.S):
        assert time.monotonic() < end, shown
        if select.select([main], [], [], 0.1)[0]:
            shown += os.read(main, 65536)
if how == "once":
    status = child.wait(20)
    read_until(rb"two ")
    assert b"\033[?1049h" not in shown, shown
else:
    # Twice: the second table has the CPU.
    read_until(rb"\033\[\?1049h.*\033\[H\033\[2J.*\033\[H\033\[2JMachines: .*%")
    assert (b"and 1 more" in shown) == (how == "small"), shown
    if how == "term":
        child.send_signal(signal.SIGTERM)
    elif how == "lost":
        subprocess.run([ctl, "kill", "two"], check=True)
        read_until(rb"Machines: 1 of ")
        os.write(main, b"q")
    else:
        os.write(main, {"interrupt": b"\x03"}.get(how, b"q"))
    status = child.wait(20)
    read_until(rb"\033\[\?25h\033\[\?1049l")
assert termios.tcgetattr(other) == before, (termios.tcgetattr(other), before)
assert status == {"term": 128 + 15}.get(how, 0), status
END
for how in quit interrupt term small once lost; do
    check "on a terminal: $how" timeout 60 python3 "$work/terminal.py" "$ctl" "$how"
done
kill "$daemon"
wait "$daemon"
finish
