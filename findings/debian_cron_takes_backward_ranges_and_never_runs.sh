#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Debian's cron (Debian 12, cron 3.0pl1-162), its `crontab -n`, which checks a file and changes nothing, and the
# daemon.
#
# One would guess that a range that runs backwards, as FRI-MON or 22-2, either goes round, as Quartz and croniter
# read it, or is refused, as a step of 0 and most libraries' parsers are. It is neither: the syntax is declared
# right, the file is installed, and the field holds no value at all, so the job is never due and nothing is
# said. FRI#2, the second Friday in Quartz, passes as well.
#
# Run as root on Linux: the daemon gets folders of its own in a mount namespace. It takes up to two minutes,
# since cron looks once a minute.
#
# Seen:
#   0 0 * * FRI-MON: checked, right
#   0 22-2 * * *: checked, right
#   0 0 * * FRI#2: checked, right
#   5/15 * * * *: refused
#   in the minute in which the job of every minute ran, that of a backward range around it did not
set -euo pipefail

script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get -o APT::Sandbox::User=root download -qq cron=3.0pl1-162 >/dev/null
dpkg-deb -x cron_*.deb root

verdict() {
    echo "$1 true" >line
    if root/usr/bin/crontab -n line >/dev/null 2>&1; then echo "$1: checked, right"; else echo "$1: refused"; fi
}

daemon() {
    mkdir -p spool/crontabs empty
    # A range that holds the present minute and the next ones if it goes round.
    local minute=$((10#$(date +%M))) first=50 last
    if [ "$minute" -lt 30 ]; then
        last=$((minute + 8))
    else
        first=$((minute - 5)) last=$((minute - 15))
    fi
    printf '%s\n' "* * * * * touch $folder/every_minute" "$first-$last * * * * touch $folder/backward" >spool/crontabs/root
    chmod 600 spool/crontabs/root
    export folder
    unshare --mount bash -c '
        mkdir -p /var/spool/cron
        mount --bind "$folder/spool" /var/spool/cron
        for each in /etc/cron.d /etc/crontab; do
            if [ -d "$each" ]; then mount --bind "$folder/empty" "$each"; fi
            if [ -f "$each" ]; then mount --bind /dev/null "$each"; fi
        done
        mount -t tmpfs none /run
        timeout 125 "$folder/root/usr/sbin/cron" -f & daemon=$!
        for _ in $(seq 120); do [ -e "$folder/every_minute" ] && break; sleep 1; done
        sleep 2
        kill $daemon' 2>/dev/null
    [ -e every_minute ] || { echo "the daemon ran nothing"; return; }
    local did=did
    [ -e backward ] || did="did not"
    echo "in the minute in which the job of every minute ran, that of a backward range around it $did"
}

seen=$(
    verdict '0 0 * * FRI-MON'
    verdict '0 22-2 * * *'
    verdict '0 0 * * FRI#2'
    verdict '5/15 * * * *'
    daemon
)
echo "$seen"
diff <(sed -n "/^# Seen:/,/^set /s/^#   //p" "$script") <(echo "$seen")
