#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# guest-command: runs in a guest, through its agent, for the method Exec.
#   make                      makes a private directory for a command, and prints its path
#   run DIRECTORY COMMAND...  runs COMMAND with the files of the directory, and exits like it
#   end DIRECTORY [GROUP]     kills the process group, and removes the directory
case $1 in
make)
    umask 077
    for base in /var/tmp /tmp /run; do
        directory=$(mktemp -d "$base/viommu-exec.XXXXXXXX" 2>/dev/null) || continue
        : >"$directory/in" && : >"$directory/out" && : >"$directory/err" && mkfifo "$directory/pipe" &&
            echo "$directory" && exit
        rm -rf "$directory"
    done
    echo
    ;;
run)
    directory=$2
    shift 2
    # Copies the input as it arrives, until there is the file that says that it is whole.
    feed() {
        exec 3<"$directory/in"
        whole=
        until [ "$whole" ]; do
            [ ! -e "$directory/whole" ] || whole=1
            cat <&3 || exit
            [ "$whole" ] || sleep 0.1
        done
    }
    feed >"$directory/pipe" 2>/dev/null &
    feeder=$!
    (cd / && exec "$@") <"$directory/pipe" >"$directory/out" 2>"$directory/err"
    status=$?
    kill "$feeder" 2>/dev/null
    exit "$status"
    ;;
end)
    # After a reboot of the guest, the number may be another group's.  Lines, since busybox's grep
    # stops at a NUL.
    if [ -n "$3" ] && tr '\0' '\n' 2>/dev/null <"/proc/$3/cmdline" | grep -qF "$2"; then
        kill -s KILL -- "-$3" 2>/dev/null
    fi
    rm -rf "$2"
    echo
    ;;
esac
