#!/bin/sh
# First program of the guest: loads what the root file system needs and goes over to it.
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do insmod "/modules/$module"; done </modules/order
tries=0
until [ -b /dev/vda ] || [ $tries -ge 100 ]; do
  sleep 0.1
  tries=$((tries + 1))
done
mount -t ext4 /dev/vda /root || exec sh
umount /proc /sys
exec switch_root /root /sbin/init
