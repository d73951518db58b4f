#!/bin/sh
# Two simulated controllers, ready when the kernel knows both. Its first command to one can come before the answer that
# btvirt takes for the controller's number; that command is lost, the controller has no address, and it starts anew.
while :; do
  /opt/lab/bin/btvirt -L -l2 &
  for _ in $(seq 60); do
    if [ "$(hciconfig | grep -c 'BD Address: 00:AA')" = 2 ]; then
      systemd-notify --ready
      wait
      exit 1
    fi
    sleep 0.1
  done
  kill $!
  wait
done
