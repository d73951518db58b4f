#!/bin/sh
# Makes the machine look like a Raspberry Pi to who reads the device tree or /proc/cpuinfo. A PC has no device tree
# and nothing can be made in sysfs, but its parent folder is there to mount over.
set -eu
. /opt/lab/board.conf
umount /sys/firmware /proc/cpuinfo 2>/dev/null || true
tree=/run/lab/firmware/devicetree/base
mkdir -p $tree
printf '%s\0' "$MODEL" >$tree/model
printf '%s\0' "$SERIAL" >$tree/serial-number
# Several strings, each with a NUL of its own.
# shellcheck disable=SC2086
printf '%s\0' $COMPATIBLE >$tree/compatible
{ cat /proc/cpuinfo; printf 'Serial\t\t: %s\nModel\t\t: %s\n' "$SERIAL" "$MODEL"; } >/run/lab/cpuinfo
mount --bind /run/lab/firmware /sys/firmware
mount --bind /run/lab/cpuinfo /proc/cpuinfo
