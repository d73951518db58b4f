#!/bin/sh
# The lab's hand in the guest. Lines on the serial port lab.0 say what to do; scripts and their output go through
# a folder of the host. That folder must not be mounted while QEMU saves the machine, so the host says when.
set -u
share=/run/lab/share
mkdir -p $share

# Two guests of one snapshot begin with the same state of the random generator: mix in what the host sends.
reseed() {
  printf '%s' "$1" >/dev/urandom
  perl -e 'open(my $f, ">", "/dev/urandom") and ioctl($f, 0x5207, 0)'
}

job() {
  cd / && setsid sh "$share/jobs/$1/script" >"$share/jobs/$1/out" 2>"$share/jobs/$1/err" </dev/null
  echo $? >"$share/jobs/$1/status"
}

# udev makes the name a moment after the kernel found the port.
until [ -e /dev/virtio-ports/lab.0 ]; do sleep 0.1; done
exec 3<>/dev/virtio-ports/lab.0
while :; do
  # End of file means that nobody listens on the host.
  read -r verb first second <&3 || { sleep 0.1; continue; }
  case $verb in
    mount)
      date -s "@$first" >/dev/null
      # What systemd-timesyncd makes when it has set the clock.
      mkdir -p /run/systemd/timesync && touch /run/systemd/timesync/synchronized
      reseed "$second"
      mountpoint -q $share || mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144,cache=none share $share
      echo mounted >&3
      ;;
    run)
      ( job "$first" 3>&-; echo "done $first" >&3 ) &
      ;;
    release)
      wait
      umount $share
      echo released >&3
      ;;
  esac
done
