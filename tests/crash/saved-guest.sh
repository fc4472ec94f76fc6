#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# saved-guest: /test/run of the guest of saved.sh (busybox).  Reads its disk again and again, each
# time from the device, counts, and reports now and then whether its IOMMU works.
work() {
    n=0
    while sleep 0.2; do
        n=$((n + 1))
        if [ -e /dev/vda ]; then
            echo 3 >/proc/sys/vm/drop_caches
            echo "read $(busybox dd if=/dev/vda bs=16 count=1 2>/dev/null)"
        fi
        [ $((n % 5)) -ne 0 ] || echo "count $n"
        [ $((n % 10)) -ne 0 ] || guest-report
    done
}
work &
